"""Vectors of any batch shape as the rows of one matrix."""

import math

from jaxtyping import Float
from torch import Tensor

__all__ = ["as_rows"]


def as_rows(x: Float[Tensor, "*B D"]) -> Float[Tensor, "N D"]:
    """``(*B, D)`` to ``(N, D)`` with N the product of B; never through -1, which an empty batch cannot infer."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
