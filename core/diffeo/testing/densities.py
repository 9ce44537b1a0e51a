"""Densities: they integrate to one, draws follow them, and the log-density that comes with a draw is that of the draw."""

from collections.abc import Callable

import torch
from torch import Tensor

from diffeo.distribution import Distribution
from diffeo.testing.reporting import expect, expect_close, expect_finite

__all__ = [
    "box_around_mass",
    "check_log_prob_of_samples",
    "check_normalized",
    "check_sampled_density",
    "integral_over_plane",
]

Interval = tuple[float, float]
CHUNK = 65_536
"""Points per call of the density: bounds the memory of a network with some hundred units."""
STANDARD_ERRORS = 5.0
"""36 cells are compared at once: by chance one of them is further off in 2 of 100,000 cases."""


@torch.no_grad()
def integral_over_plane(log_prob: Callable[[Tensor], Tensor], x: Interval, y: Interval, points: int = 400) -> float:
    """The integral of ``exp(log_prob)`` over a rectangle, by the midpoint rule with ``points`` squared cells."""

    def midpoints(low: float, high: float) -> tuple[Tensor, float]:
        step = (high - low) / points
        return low + step * (torch.arange(points, dtype=torch.float64) + 0.5), step

    (xs, dx), (ys, dy) = midpoints(*x), midpoints(*y)
    grid = torch.cartesian_prod(xs, ys)
    return sum(float(log_prob(part).exp().sum()) for part in grid.split(CHUNK)) * dx * dy


def box_around_mass(
    distribution: Distribution, domain: str = "real", *, draws: int = 20_000
) -> tuple[Interval, Interval]:
    """A rectangle around the mass: half as much again on each side as many draws cover, cut to the domain."""
    if domain == "unit":
        return (0.0, 1.0), (0.0, 1.0)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        points = distribution.sample((draws,))
    sides: list[Interval] = []
    for column in range(2):
        low, high = float(points[:, column].min()), float(points[:, column].max())
        margin = 0.5 * (high - low)
        sides.append((max(0.0, low - margin) if domain == "positive" else low - margin, high + margin))
    return sides[0], sides[1]


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


def check_log_prob_of_samples(
    distribution: Distribution, context: Tensor | None = None, *, draws: int = 8, atol: float = 1e-8
) -> None:
    """``log_prob`` of a draw is the log-density that ``sample_and_log_prob`` returned with it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        x, log_prob = distribution.sample_and_log_prob((draws,), context=context)
    expect_finite("log_prob of samples", log_prob)
    conditions = None if context is None else context.expand(draws, *context.shape)
    again = distribution.log_prob(x.detach(), context=conditions)
    expect_close("log_prob of samples", again, log_prob, atol=atol, rtol=atol, at=x)


@torch.no_grad()
def check_sampled_density(distribution: Distribution, *, draws: int = 20_000, cells: int = 6, points: int = 24) -> None:
    """Draws in the plane fall into each cell of a grid as often as the density's integral over it says.

    Within 5 standard errors, for cells between the 2% and 98% quantiles of either coordinate, and a little for the midpoint
    rule with ``points`` squared places in a cell.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        x = distribution.sample((draws,)).double()
    edges = [_edges(x[:, side], cells) for side in (0, 1)]
    for i in range(cells):
        for j in range(cells):
            box = [(float(edge[at]), float(edge[at + 1])) for edge, at in zip(edges, (i, j), strict=True)]
            inside = torch.stack([(low <= x[:, side]) & (x[:, side] < high) for side, (low, high) in enumerate(box)])
            got = float(inside.all(0).double().mean())
            expected = integral_over_plane(distribution.log_prob, *box, points=points)
            error = (max(expected * (1 - expected), 1 / draws) / draws) ** 0.5
            expect(
                "sampled density",
                abs(got - expected) <= STANDARD_ERRORS * error + 0.01 * expected,
                f"expected {expected:.6g} of {draws} draws in the cell {box}; got {got:.6g}, more than "
                f"{STANDARD_ERRORS:g} standard errors of {error:.2g} and 1% apart",
            )


def _edges(values: Tensor, cells: int) -> Tensor:
    low, high = values.quantile(values.new_tensor([0.02, 0.98])).tolist()
    return torch.linspace(low, high, cells + 1, dtype=values.dtype)
