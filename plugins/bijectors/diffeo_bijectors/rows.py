"""Vectors of any batch shape as the rows of one matrix; triangular factors."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ONE_BY_ONE", "as_rows", "unit_lower_triangle", "upper_triangle"]

ONE_BY_ONE = "a 1 x 1 matrix has no entries beside its diagonal"
"""Why the entries of a factor may be without a gradient."""


def as_rows(x: Float[Tensor, "*B D"]) -> Float[Tensor, "N D"]:
    """``(*B, D)`` to ``(N, D)`` with N the product of B; never through -1, which an empty batch cannot infer."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def unit_lower_triangle(entries: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    """What lies below the diagonal of ``entries``, and ones on it."""
    return entries.tril(-1) + torch.eye(entries.shape[0], dtype=entries.dtype, device=entries.device)


def upper_triangle(entries: Float[Tensor, "D D"], diagonal: Float[Tensor, " D"]) -> Float[Tensor, "D D"]:
    """What lies above the diagonal of ``entries``, and ``diagonal`` on it (``torch.diag`` has a gradient inductor can't lower)."""
    return entries.triu(1) + diagonal * torch.eye(entries.shape[0], dtype=entries.dtype, device=entries.device)
