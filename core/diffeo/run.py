"""A run: what ``train`` returns and what run hooks receive."""

from pathlib import Path
from typing import Any

import attrs

from diffeo.config_spec import Spec

__all__ = ["ElsewhereError", "Run", "RunError"]


class RunError(RuntimeError):
    """Training that could not go on: a loss that is not finite, a disk that is full."""


class ElsewhereError(RunError):
    """What ended this process went wrong in another one, which says so itself."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@attrs.define
class Run:
    """A training run: ``model`` in eval mode on the training device, ``metrics`` of the evaluators, ``path`` of its folder."""

    path: Path
    spec: Spec
    model: Any
    objective: Any
    data: Any
    step: int = 0
    metrics: dict[str, float] = attrs.field(factory=dict[str, float])
    outcome: str = "running"
    """``finished``, ``stopped`` (a signal, or ``until``) or ``failed``."""
    signal: int | None = None
    """The signal that stopped the run."""
    state: dict[str, Any] = attrs.field(factory=dict[str, Any])
    """Room for what run hooks keep, by plugin."""
