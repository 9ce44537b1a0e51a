"""Principal components of dequantized training data, the best linear code of every length.

B batch, N training examples, D dimensions.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Pca", "fit_pca"]


class Pca(NamedTuple):
    """An origin and orthonormal axes, in float64 on the CPU."""

    origin: Float[Tensor, " D"]
    axes: Float[Tensor, "D D"]
    """In columns, the one with the most variance first."""

    def errors(self, y: Float[Tensor, "B D"]) -> Float[Tensor, "B D_and_1"]:
        """Mean squared error over dimensions with the first k components, k = 0, ..., D.

            error_k = 1/D sum over i >= k of (axes_i . (y - origin))^2

        Summed from the last component on, so that it falls with k whatever the rounding, and ends in 0.
        """
        squares = ((y.to("cpu", torch.float64) - self.origin) @ self.axes).square()
        tails = squares.flip(-1).cumsum(-1).flip(-1)
        return torch.cat([tails, tails.new_zeros(len(y), 1)], -1) / y.shape[-1]


def fit_pca(batches: Iterable[Float[Tensor, "B D"]], *, center: bool) -> Pca:
    """Eigenvectors of the covariance of all examples; without ``center`` of their second moments about 0.

    Moments are taken about the mean of the first batch, which keeps their digits where the data lie far from 0.
    """
    count, shift, sums, squares = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for batch in batches:
        y = batch.to("cpu", torch.float64)
        if not count:
            shift = y.mean(0) if center else torch.zeros_like(y[0])
            sums, squares = torch.zeros_like(shift), shift.new_zeros(len(shift), len(shift))
        moved = y - shift
        count, sums, squares = count + len(y), sums + moved.sum(0), squares + moved.mT @ moved
    mean = sums / count if center else torch.zeros_like(shift)
    _, axes = torch.linalg.eigh(squares / count - torch.outer(mean, mean))  # eigenvalues rise
    return Pca(shift + mean, axes.flip(1))
