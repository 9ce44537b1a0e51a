"""How often sampling clips: couplings whose image is bounded have no data for latents beyond it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

import diffeo
from diffeo.evaluators.examples import first, require_dataset, require_split
from diffeo.randomness import seeded
from diffeo_vflow.config_evaluators import ClippedShare

__all__ = ["ClippedShareEvaluator", "Clips"]

Inverse = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@runtime_checkable
class Clips(Protocol):
    """What an elementwise transform may have beyond its protocol: where its inverse clips."""

    inverse: Inverse

    def clipped(self, y: Tensor, params: Tensor) -> Tensor:
        """Where y has no x, so that ``inverse`` returns the end of the image instead; booleans in the shape of y."""
        ...


class ClippedShareEvaluator(diffeo.Evaluator):
    """Draws samples and counts the values that a transform with a bounded image clips on the way (``mixture_logistic``).

    * ``share``: of all values that such transforms took back;
    * ``worst``: that share for the transform that clips most;
    * ``of_samples``: of samples with at least one clipped value.

    All are 0 where nothing can clip. Samples of a conditional flow are drawn for the contexts of held-out examples.
    """

    def __init__(self, config: ClippedShare) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        if model.context_shape is not None:
            require_split(require_dataset(data, "clipped_share"), self.config.split)

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        count, contexts = self.config.num_samples, None
        if model.context_shape is not None:
            contexts = first(data, self.config.split, count, model.like)["context"]
            count = len(contexts)
        clipped: list[list[int]] = []
        values: list[list[int]] = []
        touched = 0
        with torch.no_grad(), seeded(self.config.seed):
            for rows in torch.arange(count).split(self.config.batch_size):
                with counted(model) as found:
                    self._sample(model, len(rows), None if contexts is None else contexts[rows.to(contexts.device)])
                clipped.append([int(flags.sum()) for flags in found])
                values.append([flags.numel() for flags in found])
                by_row = [flags.reshape(len(rows), -1).any(1) for flags in found]
                touched += int(torch.stack(by_row).any(0).sum()) if by_row else 0
        by_call = [
            sum(calls) / sum(sizes)
            for calls, sizes in zip(zip(*clipped, strict=True), zip(*values, strict=True), strict=True)
        ]
        total = sum(map(sum, clipped)) / max(1, sum(map(sum, values)))
        return {"share": total, "worst": max(by_call, default=0.0), "of_samples": touched / count}

    def _sample(self, model: Any, count: int, contexts: Tensor | None) -> None:
        heat = self.config.temperature
        if contexts is None:
            model.sample((count,), temperature=heat)
        else:
            model.sample(context=contexts, temperature=heat)


@contextmanager
def counted(model: nn.Module) -> Generator[list[Tensor]]:
    """Collects, for every call of an ``inverse`` that can clip, where it does."""
    found: list[Tensor] = []
    transforms = [module for module in model.modules() if isinstance(module, Clips)]
    for transform in transforms:
        transform.inverse = _watched(transform, transform.inverse, found)
    try:
        yield found
    finally:
        for transform in transforms:
            del transform.inverse  # the method of the class is there again


def _watched(transform: Clips, inverse: Inverse, found: list[Tensor]) -> Inverse:
    def watched(y: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        found.append(transform.clipped(y, params))
        return inverse(y, params)

    return watched
