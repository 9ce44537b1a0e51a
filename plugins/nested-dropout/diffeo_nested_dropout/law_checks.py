"""Orders under test: what their protocol promises."""

import torch

from diffeo.testing import Subject
from diffeo_nested_dropout.order import Order

__all__ = ["any_shape", "normalised", "quantiles"]

POINTS = 997
"""Uniform numbers that quantiles are tried at: a prime, so that they avoid the boundaries between round probabilities."""


def normalised(subject: Subject) -> None:
    """Probabilities are not negative, sum to 1, and there is one for every number of units."""
    order: Order = subject.make()
    chances = order.probabilities()
    if chances.shape != (order.num_units,) or chances.dtype != torch.float64:
        raise AssertionError(
            f"normalised: expected ({order.num_units},) numbers in float64; got {tuple(chances.shape)}, {chances.dtype}"
        )
    if chances.min() < 0 or abs(float(chances.sum()) - 1.0) > 1e-12:
        raise AssertionError(f"normalised: expected probabilities that sum to 1; got a sum of {float(chances.sum())!r}")


def quantiles(subject: Subject) -> None:
    """``quantile(u)`` is the smallest number of units whose cumulative probability reaches u."""
    order: Order = subject.make()
    u = (torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS
    ends = order.probabilities().cumsum(0)
    expected = 1 + torch.searchsorted(ends[:-1].contiguous(), u)
    wrong = (order.quantile(u) != expected).nonzero().flatten()
    if len(wrong):
        first = wrong[0]
        raise AssertionError(
            f"quantiles: expected {int(expected[first])} units at u = {float(u[first]):.6f}; "
            f"got {int(order.quantile(u)[first])}"
        )


def any_shape(subject: Subject) -> None:
    """Entry by entry: any shape, empty or not, in float32 and float64; whole numbers come out."""
    order: Order = subject.make()
    for dtype in (torch.float32, torch.float64):
        u = torch.rand(2, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
        kept = order.quantile(u)
        single = torch.stack([order.quantile(entry) for entry in u.flatten()]).reshape(2, 3)
        if kept.dtype != torch.int64 or not torch.equal(kept, single):
            raise AssertionError(f"any shape: expected int64 {single.tolist()}; got {kept.dtype} {kept.tolist()}")
        if order.quantile(u[:0]).shape != (0, 3):
            raise AssertionError("any shape: expected nothing for nothing")
