"""LOFT, the logarithmic tail (Andrade 2024, arXiv:2402.16408).

B any batch shape.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Bijector
from diffeo_loft.config import Loft

__all__ = ["LoftBijector"]

Shape = tuple[int, ...]


def beyond(x: Tensor, tau: float) -> Tensor:
    """m(x) = max(|x| - tau, 0)."""
    return (x.abs() - tau).clamp(min=0.0)


def compress(x: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """sign(x) (min(|x|, tau) + log(1 + m(x))) and the elementwise log-derivative -log(1 + m(x))."""
    tail = beyond(x, tau).log1p()
    return torch.where(x.abs() > tau, x.sign() * (tau + tail), x), -tail


def stretch(y: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """sign(y) (min(|y|, tau) + exp(m(y)) - 1) and the elementwise log-derivative m(y)."""
    tail = beyond(y, tau)
    return torch.where(y.abs() > tau, y.sign() * (tau + tail.expm1()), y), tail


def compress_score(x: Tensor, score: Tensor, tau: float) -> Tensor:
    """The score at compress(x): (1 + m) (score - d/dx log-derivative), which is -sign(x) / (1 + m) beyond tau."""
    outside = torch.where(x.abs() > tau, x.sign(), 0.0)
    return (1 + beyond(x, tau)) * score + outside


def stretch_score(y: Tensor, score: Tensor, tau: float) -> Tensor:
    """The score at stretch(y): exp(-m) (score - d/dy log-derivative), which is sign(y) beyond tau."""
    outside = torch.where(y.abs() > tau, y.sign(), 0.0)
    return (-beyond(y, tau)).exp() * (score - outside)


class LoftBijector(Bijector):
    """The identity on [-tau, tau] and logarithmic beyond, elementwise.

        forward   y = sign(x) (min(|x|, tau) + log(1 + m(x)))      log_det = -sum(log(1 + m(x)))
        inverse   x = sign(y) (min(|y|, tau) + exp(m(y)) - 1)      log_det = +sum(m(y)),     m(v) = max(|v| - tau, 0)

    Odd, onto the whole line, with slope 1 on both sides of tau; the second derivative jumps there.

    Forward is the direction that tames samples, so a flow that lists its steps from the base (``start: base``) has ``loft``
    after its last coupling, and a trained ``scale_shift`` after it, which restores the scale. In a flow that lists its
    steps from the data it stands inside ``invert``.

    Shapes: x, y ``(*B, *event)``. Numerics: log1p and expm1, exact near tau; forward is finite for every finite x,
    inverse overflows where |y| - tau exceeds 709 (88 in float32), which no finite x is mapped to. Takes a context and
    ignores it.

    Source: Andrade 2024, arXiv:2402.16408.

    >>> import torch, diffeo
    >>> loft = diffeo.build("bijector", {"loft": {"tau": 1.0}}, shape=(3,))
    >>> loft(torch.tensor([-0.5, 1.0, 1e6]))[0]
    tensor([-0.5000,  1.0000, 14.8155])
    """

    def __init__(self, config: Loft, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, None, context_shape)
        self.tau = config.tau

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        y, log_derivative = compress(x, self.tau)
        return y, sum_event(log_derivative, len(self.in_shape))

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        x, log_derivative = stretch(y, self.tau)
        return x, sum_event(log_derivative, len(self.in_shape))

    def extra_repr(self) -> str:
        return f"tau={self.tau:g}"


def sum_event(values: Tensor, rank: int) -> Tensor:
    """Sum over the last ``rank`` dimensions, accumulated in at least float32."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    return values.sum(tuple(range(-rank, 0)), dtype=dtype) if rank else values.to(dtype)
