"""Exponential moving average of the weights."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

__all__ = ["MovingAverage"]


class MovingAverage:
    """avg <- d avg + (1 - d) weight with d = min(decay, (1 + t) / (10 + t)) at step t.

    The warm-up keeps a short run from averaging over its initial weights. Only parameters are averaged; buffers are taken
    as they are.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.names = [name for name, _ in model.named_parameters()]
        self._weights = [parameter for _, parameter in model.named_parameters()]
        self._averages = [parameter.detach().clone() for parameter in self._weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        foreach: Any = cast(Any, torch)._foreach_lerp_
        foreach(self._averages, self._weights, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """The averages by parameter name."""
        return dict(zip(self.names, self._averages, strict=True))

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from saved averages."""
        for name, average in self.state().items():
            average.copy_(state[name])

    @contextmanager
    def applied(self) -> Generator[None]:
        """Run a block with the averages as the model's weights."""
        kept = [weight.detach().clone() for weight in self._weights]
        self._copy(self._averages)
        try:
            yield
        finally:
            self._copy(kept)

    @torch.no_grad()
    def _copy(self, values: list[Tensor]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.copy_(value)
