"""Densities: they integrate to one."""

from collections.abc import Callable

import torch
from torch import Tensor

from diffeo.testing.reporting import expect

__all__ = ["check_normalized", "integral_over_plane"]

Interval = tuple[float, float]
CHUNK = 65_536
"""Points per call of the density: bounds the memory of a network with some hundred units."""


@torch.no_grad()
def integral_over_plane(log_prob: Callable[[Tensor], Tensor], x: Interval, y: Interval, points: int = 400) -> float:
    """The integral of ``exp(log_prob)`` over a rectangle, by the midpoint rule with ``points`` squared cells."""

    def midpoints(low: float, high: float) -> tuple[Tensor, float]:
        step = (high - low) / points
        return low + step * (torch.arange(points, dtype=torch.float64) + 0.5), step

    (xs, dx), (ys, dy) = midpoints(*x), midpoints(*y)
    grid = torch.cartesian_prod(xs, ys)
    return sum(float(log_prob(part).exp().sum()) for part in grid.split(CHUNK)) * dx * dy


def check_normalized(
    log_prob: Callable[[Tensor], Tensor],
    *,
    x: Interval = (-9.0, 9.0),
    y: Interval = (-9.0, 9.0),
    points: int = 400,
    atol: float = 1e-3,
) -> None:
    """A density on the plane, a float64 function of ``(N, 2)``, integrates to 1 over a rectangle around its mass."""
    total = integral_over_plane(log_prob, x, y, points)
    expect(
        "normalised", abs(total - 1) <= atol, f"expected an integral of 1; got {total:.9g} with a tolerance of {atol:g}"
    )
