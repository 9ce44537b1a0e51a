"""A log-scale bounded on both sides by a hyperbolic tangent."""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Tanh
from diffeo_bijectors.scale import Scale

__all__ = ["TanhScale"]


class TanhScale(Scale):
    """``c(raw) = bound * tanh(raw / bound)``: slope 1 at 0, range (-bound, bound). Shapes: those of raw.

    Computed as ``2 bound sigmoid(2 raw / bound) - bound``, in half the time on a CPU: 0 exactly where raw is 0, and elsewhere
    right to a few roundings of a number as large as ``bound``, which is what the exponential of it loses anyway.

    >>> import torch, diffeo
    >>> round(diffeo.build("scale", {"tanh": {"bound": 2.0}})(torch.tensor(100.0)).item(), 4)
    2.0
    """

    def __init__(self, config: Tanh) -> None:
        super().__init__()
        self.bound = config.bound

    def forward(self, raw: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        return 2 * self.bound * torch.sigmoid(2 / self.bound * raw) - self.bound

    def extra_repr(self) -> str:
        return f"bound={self.bound:g}"
