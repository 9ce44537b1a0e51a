"""The weights of the step with the lowest score so far."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["BestWeights"]


class BestWeights:
    """A copy of a model's weights and buffers, taken whenever a score is lower than every score before it.

    ``score`` and ``step`` are None until one was offered: the weights to use are the model's own until then.
    """

    def __init__(self, model: nn.Module) -> None:
        self.score: float | None = None
        self.step: int | None = None
        self._model = model
        self._tensors: dict[str, Tensor] = {}

    @torch.no_grad()
    def offer(self, score: float, step: int) -> None:
        """Take the weights as they are now if their score is the lowest; one that is not finite never is."""
        if not math.isfinite(score) or (self.score is not None and score >= self.score):
            return
        self.score, self.step = score, step
        current = self._model.state_dict()
        if not self._tensors:
            self._tensors = {name: tensor.clone() for name, tensor in current.items()}
        for name, kept in self._tensors.items():
            kept.copy_(current[name])

    def state(self) -> dict[str, Tensor]:
        """The weights by name; ``{}`` before the first score."""
        return dict(self._tensors)

    @property
    def facts(self) -> dict[str, Any]:
        """What is written beside the weights."""
        return {"score": self.score, "step": self.step}

    def load(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what was saved: ``facts``, and the weights to use, which are the best ones if there are any."""
        self.score, self.step = facts["score"], facts["step"]
        own = self._model.state_dict()
        self._tensors = (
            {} if self.step is None else {name: tensors[name].to(own[name].device, copy=True) for name in own}
        )
