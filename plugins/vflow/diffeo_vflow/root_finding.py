"""Roots of many monotonic functions at once, in a fixed number of steps (Chandrupatla 1997, Adv. Eng. Softw. 28, 145).

S any shape: one function and one root per entry.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["root_between"]


@torch.no_grad()
def root_between(
    function: Callable[[Tensor], Tensor], low: Float[Tensor, "*S"], high: Float[Tensor, "*S"], *, iterations: int
) -> Float[Tensor, "*S"]:
    """Where an increasing function with a root in [low, high] is 0; without a gradient.

    Every step evaluates the function once and keeps a bracket. It takes inverse quadratic interpolation where the last three
    points say that this is safe, and the middle otherwise: smooth functions converge faster than linearly, and no function
    can leave its bracket. There is no test for convergence, and so no branch: an entry that has converged stays.

    >>> root_between(lambda x: x**3 - 8, torch.zeros(1), torch.tensor([5.0]), iterations=16).round(decimals=3)
    tensor([2.])
    """
    info = torch.finfo(low.dtype)
    newest, opposite = low, high
    f_newest, f_opposite = function(low), function(high)
    fraction = torch.full_like(low, 0.5)
    for _ in range(iterations):
        x = newest + fraction * (opposite - newest)
        f_x = function(x)
        same = (f_x > 0) == (f_newest > 0)
        previous, f_previous = torch.where(same, newest, opposite), torch.where(same, f_newest, f_opposite)
        opposite, f_opposite = torch.where(same, opposite, newest), torch.where(same, f_opposite, f_newest)
        newest, f_newest = x, f_x
        fraction = _interpolated(newest, opposite, previous, f_newest, f_opposite, f_previous)
        # Never closer to an end than its rounding: the root is then soon enclosed from both sides.
        nearest = (info.eps * newest.abs() / (opposite - newest).abs().clamp_min(info.tiny)).clamp_max(0.5)
        fraction = torch.maximum(torch.minimum(fraction, 1 - nearest), nearest)
    return torch.where(f_newest.abs() < f_opposite.abs(), newest, opposite)


def _interpolated(a: Tensor, b: Tensor, c: Tensor, f_a: Tensor, f_b: Tensor, f_c: Tensor) -> Tensor:
    """How far to go from a to b: to the root of the inverse parabola through three points where it is monotonic, else half."""
    position, rise = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    is_safe = (rise**2 < position) & ((1 - rise) ** 2 < 1 - position)
    first = f_a / (f_b - f_a) * f_c / (f_b - f_c)
    second = (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    fraction = first + second
    return torch.where(is_safe & fraction.isfinite(), fraction, 0.5)
