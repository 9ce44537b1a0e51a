"""The raw output as log-scale."""

from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Exp
from diffeo_bijectors.scale import Scale

__all__ = ["ExpScale"]


class ExpScale(Scale):
    """``c(raw) = raw``: the scale is ``exp(raw)``. Range: all of R, so nothing keeps a deep flow from overflowing.

    Shapes: those of raw.

    >>> import torch, diffeo
    >>> diffeo.build("scale", "exp")(torch.tensor(3.0)).item()
    3.0
    """

    def __init__(self, config: Exp) -> None:
        super().__init__()

    def forward(self, raw: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        return raw
