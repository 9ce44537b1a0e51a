"""Monotonic rational-quadratic splines with linear tails (Durkan et al. 2019, arXiv:1906.04032).

S any shape, K number of bins, P = 3 K - 1 parameters.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from diffeo_bijectors.config import RQSpline
from diffeo_bijectors.elementwise import Elementwise

__all__ = ["RQSplineElementwise", "rational_quadratic", "rational_quadratic_inverse"]


class Bin(NamedTuple):
    """The bin each value lies in: corner, size and the derivatives at its left and right end; all ``(*S)``."""

    left: Tensor
    bottom: Tensor
    width: Tensor
    height: Tensor
    left_derivative: Tensor
    right_derivative: Tensor


def rational_quadratic(
    x: Float[Tensor, "*S"],
    params: Float[Tensor, " P *S"],
    *,
    bound: float = 5.0,
    min_width: float = 1e-3,
    min_height: float = 1e-3,
    min_derivative: float = 1e-3,
    temperature: float = 1.0,
) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
    """The spline at x and its log-derivative (eq. 4 and 5); see ``RQSplineElementwise``."""
    clamped = x.clamp(-bound, bound)
    bin_ = find_bin(clamped, params, 0, bound, (min_width, min_height), min_derivative, temperature)
    right = ((clamped - bin_.left) / bin_.width).clamp(0.0, 1.0)
    rise, log_derivative = rise_and_log_derivative(right, 1.0 - right, bin_)
    inside = x.abs() < bound
    return torch.where(inside, bin_.bottom + bin_.height * rise, x), torch.where(inside, log_derivative, 0.0)


def rational_quadratic_inverse(
    y: Float[Tensor, "*S"],
    params: Float[Tensor, " P *S"],
    *,
    bound: float = 5.0,
    min_width: float = 1e-3,
    min_height: float = 1e-3,
    min_derivative: float = 1e-3,
    temperature: float = 1.0,
) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
    """The x at which the spline is y, and the log-derivative of that map; see ``RQSplineElementwise``."""
    clamped = y.clamp(-bound, bound)
    bin_ = find_bin(clamped, params, 1, bound, (min_width, min_height), min_derivative, temperature)
    rise = ((clamped - bin_.bottom) / bin_.height).clamp(0.0, 1.0)
    right, left = solve_for_position(rise, bin_)
    _, log_derivative = rise_and_log_derivative(right, left, bin_)
    inside = y.abs() < bound
    return torch.where(inside, bin_.left + bin_.width * right, y), torch.where(inside, -log_derivative, 0.0)


def find_bin(
    values: Float[Tensor, "*S"],
    params: Float[Tensor, " P *S"],
    axis: int,
    bound: float,
    min_sizes: tuple[float, float],
    min_derivative: float,
    temperature: float,
) -> Bin:
    """The bin of each value along ``axis``: 0 for values of x, 1 for values of y.

    Widths and heights go through one softmax, (2, K, *S). What belongs to the bin is then picked by sums over masks of zeros
    and ones in the dtype of the values: no look-up, whose backward pass scatters (slowly when compiled, and in no fixed
    order on a GPU), and no gradient through a cumulative sum.
    """
    bins = (params.shape[0] + 1) // 3
    ones = (1,) * values.dim()
    raw_sizes, raw_derivatives = params.split([2 * bins, bins - 1])
    if temperature != 1.0:
        raw_sizes = raw_sizes / temperature
    fractions = torch.softmax(raw_sizes.unflatten(0, (2, bins)), dim=1)
    index = count_knots_below(values.detach(), fractions[axis].detach(), bound, min_sizes[axis])
    ahead = index - torch.arange(bins, dtype=values.dtype, device=values.device).reshape(bins, *ones)
    below, here = ahead.clamp(0.0, 1.0), (1.0 - ahead.abs()).clamp_min(0.0)
    smallest = torch.linspace(*min_sizes, 2, dtype=values.dtype, device=values.device).reshape(2, *ones)
    fixed, free = 2.0 * bound * smallest, 2.0 * bound * (1.0 - bins * smallest)
    left, bottom = torch.addcmul(fixed * index - bound, free, (fractions * below).sum(1)).unbind(0)
    width, height = torch.addcmul(fixed, free, (fractions * here).sum(1)).unbind(0)
    return Bin(left, bottom, width, height, *end_derivatives(raw_derivatives, here, min_derivative))


def count_knots_below(
    values: Float[Tensor, "*S"], fractions: Float[Tensor, " K *S"], bound: float, min_size: float
) -> Float[Tensor, "*S"]:
    """How many of the K - 1 inner knots are at or below each value: the index of its bin, as a floating-point number."""
    bins = fractions.shape[0]
    number = torch.arange(1, bins, dtype=values.dtype, device=values.device).reshape(-1, *(1,) * values.dim())
    fixed, free = 2.0 * bound * min_size, 2.0 * bound * (1.0 - bins * min_size)
    knots = torch.add(fixed * number - bound, fractions[:-1].cumsum(0), alpha=free)
    return (values >= knots).to(values.dtype).sum(0)


def end_derivatives(
    raw: Float[Tensor, " K_inner *S"], here: Float[Tensor, " K *S"], min_derivative: float
) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
    """Derivatives at both ends of a bin, ``min_derivative + softplus(raw + offset)``, with raw 0 at the ends of the box.

    The inner knot k (1 to K - 1) is the left end of bin k and the right end of bin k - 1; ``here`` is 1 at the bin.
    """
    offset = math.log(math.expm1(1.0 - min_derivative))  # so that raw 0 gives 1
    raw_ends = torch.stack([(raw * here[1:]).sum(0), (raw * here[:-1]).sum(0)])
    left, right = (min_derivative + F.softplus(raw_ends + offset)).unbind(0)
    return left, right


def rise_and_log_derivative(right: Tensor, left: Tensor, bin_: Bin) -> tuple[Tensor, Tensor]:
    """Fraction of the bin's height reached, and log dy/dx, at the fraction ``right`` of its width (``left = 1 - right``)."""
    slope, d0, d1 = bin_.height / bin_.width, bin_.left_derivative, bin_.right_derivative
    right_squared, both = right.square(), right * left
    denominator = slope + (d0 + d1 - 2.0 * slope) * both  # at least slope / 2, for both <= 1 / 4
    rise = (slope * right_squared + d0 * both) / denominator
    derivative = d1 * right_squared + 2.0 * slope * both + d0 * left.square()
    return rise, torch.log(derivative * (slope / denominator).square())


def solve_for_position(rise: Tensor, bin_: Bin) -> tuple[Tensor, Tensor]:
    """The fractions of the width to the left and to the right of the point where ``rise`` is reached.

    With r the rise, s the slope and d0, d1 the derivatives, the discriminant of Durkan et al. (eq. 29) divided by the
    squared height is ``g^2 + 4 s^2 r (1 - r)`` where ``g = d0 (1 - r) - d1 r``: a sum of squares, which rounding cannot make
    negative. The root 2c / (-b - sqrt(discriminant)) is ``2 s r / (2 s r + g + root)``; where g < 0 the same number is
    ``(|g| + root) / (|g| + root + 2 s (1 - r))``. Either way nothing cancels.
    """
    slope, d0, d1 = bin_.height / bin_.width, bin_.left_derivative, bin_.right_derivative
    fall = 1.0 - rise
    gap = d0 * fall - d1 * rise
    root = (gap.square() + 4.0 * slope.square() * rise * fall).sqrt()
    near = gap.abs() + root
    upward, downward = 2.0 * slope * rise, 2.0 * slope * fall
    positive = gap >= 0.0
    right = torch.where(positive, upward, near) / torch.where(positive, upward + near, near + downward)
    left = torch.where(positive, near, downward) / torch.where(positive, upward + near, near + downward)
    return right, left


class RQSplineElementwise(Elementwise):
    """A monotonic rational-quadratic spline of K bins on the box [-b, b], the identity outside.

    Inside bin k, from knot ``(x_k, y_k)`` to ``(x_k + w, y_k + h)`` with slope ``s = h / w``, end derivatives ``d0, d1`` and
    ``xi = (x - x_k) / w``:

        y        = y_k + h (s xi^2 + d0 xi (1 - xi)) / q,           q = s + (d0 + d1 - 2 s) xi (1 - xi)
        log y'   = log [ s^2 (d1 xi^2 + 2 s xi (1 - xi) + d0 (1 - xi)^2) / q^2 ]

    and back by the root of a quadratic equation, with minus the same log-derivative.

    Shapes: x ``(*S)``, params ``(3 K - 1, *S)``: K raw widths, K raw heights, K - 1 raw derivatives at the inner knots.
    Sizes are ``2 b (m + (1 - K m) softmax(raw / t))`` with m the smallest fraction and t the temperature, derivatives
    ``m + softplus(raw + c)`` with c such that raw 0 gives 1; the derivatives at both ends of the box are 1, so the whole map
    is continuously differentiable. All raw parameters 0: the identity.

    Numerics: the smallest width and height (fractions of the box) and derivative keep slopes between about 1e-3 and 1e3;
    the inverse of a bin of slope s loses log10(max(s, 1 / s)) digits. Outside the box the spline is evaluated at the edge
    and discarded, so its gradient is finite. Forward and inverse use no difference of nearly equal numbers.

    Source: Durkan, Bekasov, Murray and Papamakarios 2019, arXiv:1906.04032, eq. 4 to 8 and appendix A.

    >>> import torch, diffeo
    >>> spline = diffeo.build("elementwise", {"rq_spline": {"bins": 4}})
    >>> x = torch.tensor([-7.0, 0.3, 2.0])
    >>> y, log_det = spline(x, torch.zeros(spline.num_params, 3))
    >>> torch.allclose(y, x), torch.allclose(log_det, torch.zeros(3), atol=1e-6)
    (True, True)
    """

    def __init__(self, config: RQSpline) -> None:
        super().__init__(num_params=3 * config.bins - 1)
        self.bound = config.bound
        self.min_width = config.min_width
        self.min_height = config.min_height
        self.min_derivative = config.min_derivative
        self.temperature = config.temperature

    def forward(
        self, x: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        return rational_quadratic(
            x,
            params,
            bound=self.bound,
            min_width=self.min_width,
            min_height=self.min_height,
            min_derivative=self.min_derivative,
            temperature=self.temperature,
        )

    def inverse(
        self, y: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        return rational_quadratic_inverse(
            y,
            params,
            bound=self.bound,
            min_width=self.min_width,
            min_height=self.min_height,
            min_derivative=self.min_derivative,
            temperature=self.temperature,
        )

    def extra_repr(self) -> str:
        temperature = "" if self.temperature == 1.0 else f", temperature={self.temperature:g}"
        return f"bins={(self.num_params + 1) // 3}, bound={self.bound:g}{temperature}"
