"""The batches of many seeds, stacked (S, B, ...), fetched several steps ahead."""

from collections.abc import Sequence
from math import prod

import torch

from diffeo.seed_step import Tensors
from diffeo.trainer import Loop
from diffeo.training_step import DTYPES, cast

__all__ = ["SeedFeed"]

ROWS_AT_ONCE = 2048
"""Examples of one seed that are fetched together: a fetch of a small batch takes mostly Python's time."""

NUMBERS_AT_ONCE = 2**20
"""Numbers that those examples have at most, 4 MiB in float32: images are fetched step by step."""


class SeedFeed:
    """What the loops would feed their steps with, for all of them at once."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.loops = list(loops)
        self.config, self.device = loops[0].config, loops[0].device
        rows = min(ROWS_AT_ONCE, NUMBERS_AT_ONCE // max(1, prod(loops[0].run.data.shapes["x"])))
        self._count = max(1, rows // self.config.batch_size)
        self._first = 0
        self._ahead: list[Tensors] = []

    def batches(self, step: int) -> Tensors:
        """The batches of a step; asked for again, they are the same."""
        if not self._first <= step < self._first + len(self._ahead):
            self._first, self._ahead = step, self._fetch(step, min(self._count, self.config.steps - step))
        return self._ahead[step - self._first]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the seeds."""
        self.loops, self._ahead = [self.loops[row] for row in rows], []

    def _fetch(self, step: int, count: int) -> list[Tensors]:
        found = [loop.feed.fetch_steps(step, count, loop.feed.parts[0]) for loop in self.loops]
        stacked = {name: torch.stack([batch[name] for batch in found]) for name in found[0]}
        stacked = cast(stacked, DTYPES[self.config.precision], self.device)
        # Steps come first, so that every batch is contiguous: the compiled step is compiled anew for other strides.
        by_step = {
            name: values.unflatten(1, (count, self.config.batch_size)).transpose(0, 1).contiguous()
            for name, values in stacked.items()
        }
        return [{name: values[index] for name, values in by_step.items()} for index in range(count)]
