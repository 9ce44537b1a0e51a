"""The asymmetric soft clamp of a log-scale (Andrade 2024, arXiv:2402.16408)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Capabilities
from diffeo_bijectors import Scale
from diffeo_loft.config import SoftClamp

__all__ = ["SoftClampScale"]


def soft_clamp(raw: Tensor, negative: float, positive: float) -> Tensor:
    """(2 a / pi) arctan(raw / a) with a = negative below 0 and positive from 0 on; NaN where raw is not finite."""
    bound = torch.where(raw < 0, raw.new_full((), negative), raw.new_full((), positive))
    bound = bound + 0.0 * raw.detach()  # NaN where raw is not finite
    return (2 / math.pi) * bound * (raw / bound).atan()


class SoftClampScale(Scale):
    """``c(raw) = (2 a / pi) arctan(raw / a)``, where a is ``negative`` for raw < 0 and ``positive`` for raw >= 0.

    Range (-negative, positive): with the defaults one layer multiplies by 0.135 to 1.105, so that 64 couplings of which
    each entry passes every other one stretch it by exp(0.1 * 32) = 24.5 at most, before shifts. The slope at 0 is 2 / pi
    from both sides. Equal bounds give the symmetric clamp of Ardizzone et al. 2019, arXiv:1907.02392.

    Shapes: those of raw. Numerics: a raw value that is not finite gives NaN, although the arc tangent of infinity is
    finite, so that a draw whose network overflowed is seen and left out.

    Source: Andrade 2024, arXiv:2402.16408.

    >>> import torch, diffeo
    >>> diffeo.build("scale", "soft_clamp")(torch.tensor([-1e9, 0.0, 1e9]))
    tensor([-2.0000,  0.0000,  0.1000])
    """

    capabilities = Capabilities()

    def __init__(self, config: SoftClamp) -> None:
        super().__init__()
        self.negative, self.positive = config.negative, config.positive

    def forward(self, raw: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        return soft_clamp(raw, self.negative, self.positive)

    def extra_repr(self) -> str:
        return f"negative={self.negative:g}, positive={self.positive:g}"
