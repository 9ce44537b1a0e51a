"""A log-scale bounded above by a sigmoid (Kingma and Dhariwal 2018, arXiv:1807.03039, released code)."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from diffeo_bijectors.config import Sigmoid
from diffeo_bijectors.scale import Scale

__all__ = ["SigmoidScale"]


class SigmoidScale(Scale):
    """``c(raw) = logsigmoid(raw + shift) - logsigmoid(shift)``: the scale is ``sigmoid(raw + shift) / sigmoid(shift)``.

    Range: (-inf, log(1 + exp(-shift))), which is (-inf, 0.127) for shift 2. With ``centered: false`` it is the usual form, which
    has no second term and so shrinks by ``sigmoid(2) = 0.88`` where the raw output is 0; subtracting it makes 0 the identity (to
    rounding) and only changes each log-scale by a constant. Shapes: those of raw.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, released code.

    >>> import torch, diffeo
    >>> scale = diffeo.build("scale", "sigmoid")
    >>> abs(scale(torch.tensor(0.0)).item()) < 1e-7, round(scale(torch.tensor(100.0)).item(), 4)
    (True, 0.1269)
    """

    def __init__(self, config: Sigmoid) -> None:
        super().__init__()
        self.shift = config.shift
        self.constant = math.log1p(math.exp(-config.shift)) if config.centered else 0.0

    def forward(self, raw: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        return F.logsigmoid(raw + self.shift) + self.constant

    def extra_repr(self) -> str:
        return f"shift={self.shift:g}" + ("" if self.constant else ", centered=False")
