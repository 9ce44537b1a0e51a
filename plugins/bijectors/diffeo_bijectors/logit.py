"""From the unit interval to the real line.

Dimensions: B any batch shape.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_preprocessing import Logit
from diffeo_bijectors.events import Shape, sum_event

__all__ = ["LogitBijector"]


def logit(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """logit(alpha + (1 - 2 alpha) x) and the elementwise log-derivative."""
    tiny = torch.finfo(x.dtype).tiny
    log_p = (alpha + (1 - 2 * alpha) * x).clamp(min=tiny).log()
    log_q = (alpha + (1 - 2 * alpha) * (1 - x)).clamp(min=tiny).log()
    return log_p - log_q, math.log1p(-2 * alpha) - log_p - log_q


def sigmoid(y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The inverse of ``logit`` and its elementwise log-derivative."""
    log_derivative = F.logsigmoid(y) + F.logsigmoid(-y) - math.log1p(-2 * alpha)
    return (torch.sigmoid(y) - alpha) / (1 - 2 * alpha), log_derivative


class LogitBijector(Bijector):
    """The logit of data in (0, 1), squeezed a little first.

        forward   y = log(p) - log(1 - p)                     log_det = sum(log(1 - 2 alpha) - log(p) - log(1 - p))
        inverse   x = (p - alpha) / (1 - 2 alpha)             log_det = sum(log(p) + log(1 - p) - log(1 - 2 alpha))

    with p = alpha + (1 - 2 alpha) x = sigmoid(y).

    Domain: (0, 1); with alpha > 0 a little more, since every real y has an x in (-alpha, 1 + alpha)/(1 - 2 alpha) - so
    samples can leave [0, 1] by alpha / (1 - 2 alpha) at most.

    Shapes: x, y ``(*B, *event)``, elementwise. Numerics: 1 - p is computed from 1 - x, so that both ends are resolved
    alike; p and 1 - p are clamped below at the smallest normal number of the dtype, so that at and beyond the edge of
    the domain values stay finite (|y| < 88 in float32) and gradients are 0. Takes a context and ignores it.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 4.1.

    >>> import torch
    >>> from diffeo_bijectors.config_preprocessing import Logit
    >>> LogitBijector(Logit(alpha=0.0), (2,))(torch.tensor([0.5, 0.5]))
    (tensor([0., 0.]), tensor(2.7726))
    """

    capabilities = Capabilities(domain="unit", twice_differentiable=True)

    def __init__(self, config: Logit, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, None, context_shape)
        self.alpha = config.alpha

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        y, log_derivative = logit(x, self.alpha)
        return y, sum_event(log_derivative, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        x, log_derivative = sigmoid(y, self.alpha)
        return x, sum_event(log_derivative, self.in_shape)

    def extra_repr(self) -> str:
        return f"{self.in_shape}, alpha={self.alpha:g}"
