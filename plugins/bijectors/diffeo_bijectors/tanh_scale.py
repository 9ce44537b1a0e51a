"""A log-scale bounded on both sides by a hyperbolic tangent."""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Tanh
from diffeo_bijectors.scale import Scale

__all__ = ["TanhScale"]


class TanhScale(Scale):
    """``c(raw) = bound * tanh(raw / bound)``: slope 1 at 0, range (-bound, bound). Shapes: those of raw.

    >>> import torch, diffeo
    >>> round(diffeo.build("scale", {"tanh": {"bound": 2.0}})(torch.tensor(100.0)).item(), 4)
    2.0
    """

    def __init__(self, config: Tanh) -> None:
        super().__init__()
        self.bound = config.bound

    def forward(self, raw: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        return self.bound * torch.tanh(raw / self.bound)

    def extra_repr(self) -> str:
        return f"bound={self.bound:g}"
