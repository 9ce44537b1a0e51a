"""The noise of many seeds' steps, drawn as each of them would draw it alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from diffeo.noise import Draw
from diffeo.randomness import derive
from diffeo.trainer import Loop

__all__ = ["SeedNoise"]


class SeedNoise:
    """What every seed's step draws, stacked ``(S, *shape)`` in the order of ``draws``.

    A run alone seeds its generator with (seed, step, rank) before each step. A generator for each seed does the same here.
    """

    draws: Sequence[Draw] = ()

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.seeds = [loop.seed for loop in loops]
        self._like = loops[0].parameters[0].detach()
        self._generator = torch.Generator(loops[0].device)

    def of_step(self, step: int) -> list[Tensor]:
        """The noise of a step."""
        if not self.draws:
            return []
        own = [self._of_seed(seed, step) for seed in self.seeds]
        return [torch.stack(draws) for draws in zip(*own, strict=True)]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the seeds."""
        self.seeds = [self.seeds[row] for row in rows]

    def _of_seed(self, seed: int, step: int) -> list[Tensor]:
        self._generator.manual_seed(derive(seed, "noise", step, 0))  # 0: the rank of a single process
        return [draw.take(self._like, self._generator) for draw in self.draws]
