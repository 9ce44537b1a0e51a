"""Which examples make up the batch of a step: a pure function of (seed, step).

Position p = t B + j of step t falls into epoch e and place q of it, (e, q) = divmod(p, n); the example is perm_e[q] with a
permutation drawn from (seed, e), or the identity where nothing is shuffled. No epoch ends early, nothing is dropped, and any
step can be computed from nothing.
"""

from functools import lru_cache

import torch
from torch import Tensor

from diffeo.randomness import derive

__all__ = ["batch_indices"]


@lru_cache(maxsize=4)
def _permutation(seed: int, size: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(size, generator=generator)


def batch_indices(seed: int, step: int, batch_size: int, size: int | None, *, shuffle: bool = True) -> Tensor:
    """Indices of the global batch of a step; for an endless source (``size`` None) the positions themselves.

    >>> [batch_indices(0, step, 2, 3).tolist() for step in range(3)]
    [[2, 1], [0, 1], [0, 2]]
    """
    positions = torch.arange(step * batch_size, (step + 1) * batch_size)
    if size is None:
        return positions
    if not shuffle:
        return positions % size
    first, last = int(positions[0]) // size, int(positions[-1]) // size
    permutations = torch.cat([_permutation(seed, size, epoch) for epoch in range(first, last + 1)])
    return permutations[positions - first * size]
