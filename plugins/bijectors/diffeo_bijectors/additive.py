"""Shift (Dinh et al. 2014, arXiv:1410.8516, eq. 11)."""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Capabilities
from diffeo_bijectors.config import Additive
from diffeo_bijectors.elementwise import Elementwise

__all__ = ["AdditiveElementwise"]


class AdditiveElementwise(Elementwise):
    """``y = x + t``, back ``x = y - t``; both log-derivatives are 0.

    Shapes: x ``(*S)``, params ``(1, *S)`` holding t.

    Source: Dinh, Krueger and Bengio 2014, arXiv:1410.8516, eq. 11.

    >>> import torch, diffeo
    >>> y, log_det = diffeo.build("elementwise", "additive")(torch.tensor([1.0]), torch.tensor([[0.5]]))
    >>> y.item(), log_det.item()
    (1.5, 0.0)
    """

    capabilities = Capabilities(context="all", preserves_volume=True, twice_differentiable=True)

    def __init__(self, config: Additive) -> None:
        super().__init__(num_params=1)

    def forward(
        self, x: Float[Tensor, "*S"], params: Float[Tensor, " 1 *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        y = x + params[0]
        return y, torch.zeros_like(y)

    def inverse(
        self, y: Float[Tensor, "*S"], params: Float[Tensor, " 1 *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        x = y - params[0]
        return x, torch.zeros_like(x)
