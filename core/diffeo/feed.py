"""What the training steps are fed with: this process's parts of the global batch, fetched ahead by threads."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from diffeo.dataset import Dataset
from diffeo.randomness import example_seeds
from diffeo.sampling import batch_indices

__all__ = ["Feed"]

Batch = dict[str, Tensor]

AHEAD = 2
"""Parts under way for each thread: one that is fetched while another waits to be used."""


class Feed:
    """Batches by (step, part): the examples at given positions of the global batch, which is a function of (seed, step).

    ``parts`` are those positions, one slice for each pass through the model. With ``workers`` > 0 the parts that come next
    are fetched by threads while the model computes. A batch is a pure function of its indices and seeds, so that neither
    their number nor their order changes it; threads need no copy of the data, send nothing between processes, and end with
    this one. A target has no examples: its batches are empty.
    """

    def __init__(
        self, data: Any, seed: int, batch_size: int, parts: Sequence[slice], *, workers: int = 0, shuffle: bool = True
    ) -> None:
        self.data, self.seed, self.batch_size, self.parts = data, seed, batch_size, tuple(parts)
        self.shuffle = shuffle
        self._limit = AHEAD * workers
        self._pool = ThreadPoolExecutor(workers, "diffeo-feed") if workers and self.has_examples else None
        self._coming: dict[tuple[int, int], Future[Batch]] = {}

    def batch(self, step: int, part: int) -> Batch:
        """The examples of one part; the ones after it are on their way."""
        if self._pool is None:
            return self.fetch(step, self.parts[part])
        wanted = [self._after(step, part, count) for count in range(self._limit + 1)]
        kept = {key: future for key, future in self._coming.items() if key in wanted}
        for key in wanted:
            if key not in kept:
                kept[key] = self._pool.submit(self.fetch, key[0], self.parts[key[1]])
        self._coming = kept
        return kept.pop((step, part)).result()

    def fetch(self, step: int, positions: slice) -> Batch:
        """The examples at some positions of the global batch of a step."""
        return self.fetch_steps(step, 1, positions)

    def fetch_steps(self, step: int, count: int, positions: slice) -> Batch:
        """Those of several steps, one after the other in one batch: an example depends on its own index and seed alone."""
        if not self.has_examples:
            return {}
        steps = range(step, step + count)
        indices = torch.cat([self.indices(one, positions) for one in steps])
        seeds = torch.cat([example_seeds(self.seed, one, self.batch_size)[positions] for one in steps])
        return self.data.batch("train", indices, seeds)

    @property
    def has_examples(self) -> bool:
        """Whether the data are examples, and not a density."""
        return isinstance(self.data, Dataset)

    def indices(self, step: int, positions: slice) -> Tensor:
        """Which examples those are."""
        size = self.data.size("train")
        return batch_indices(self.seed, step, self.batch_size, size, shuffle=self.shuffle)[positions]

    def close(self) -> None:
        """Let the threads end; what they were fetching is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _after(self, step: int, part: int, count: int) -> tuple[int, int]:
        ahead, rest = divmod(part + count, len(self.parts))
        return step + ahead, rest
