"""The target of a run: it knows what the entries of a draw are called, and undoes their constraints."""

import warnings
from pathlib import Path
from typing import Any

from diffeo.dataset import Target
from diffeo.preparation import make_data
from diffeo.run_folder import run_folder
from diffeo.spec_loading import load_spec
from diffeo_registry import DiffeoError, Document, installed

__all__ = ["target_of"]


def target_of(model: Path) -> Target | None:
    """The target whose run a model belongs to; None for a run on a data set, and for a weights file on its own.

    A target that is not to be had is warned of: draws are then those of the flow, without constraints.
    """
    file = run_folder(model) / "spec.yaml"
    if not file.is_file() or not _is_target(Document.read(file).data):
        return None
    try:
        target = make_data(load_spec(file))
    except DiffeoError as error:
        warnings.warn(f"draws are unconstrained theta, because there is no target: {error}", stacklevel=2)
        return None
    assert isinstance(target, Target)
    return target


def _is_target(spec: Any) -> bool:
    """Whether the data of a resolved spec are a target, told without its plugin's code."""
    try:
        return "target" in installed().find(next(iter(spec["data"])), ("dataset", "target")).kinds
    except DiffeoError:  # no such plugin here: sampling needs none
        return False
