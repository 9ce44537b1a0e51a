"""Scale and shift (Dinh et al. 2017, arXiv:1605.08803, eq. 8)."""

import torch
from jaxtyping import Float
from torch import Tensor

import diffeo
from diffeo_bijectors.config import Affine
from diffeo_bijectors.elementwise import Elementwise

__all__ = ["AffineElementwise"]


class AffineElementwise(Elementwise):
    """``y = x * exp(s) + t`` with log-derivative ``s``; back ``x = (y - t) * exp(-s)`` with ``-s``.

    ``s = c(raw)``, where c is the scale function in the slot ``scale``.

    Shapes: x ``(*S)``, params ``(2, *S)`` holding raw, then t.

    Numerics: the default scale function bounds s to (-2, 2), so that neither direction overflows whatever the network
    returns. With ``scale: exp`` nothing bounds it.

    Source: Dinh, Sohl-Dickstein and Bengio 2017, arXiv:1605.08803, eq. 8.

    >>> import torch, diffeo
    >>> affine = diffeo.build("elementwise", {"affine": {"scale": "exp"}})
    >>> y, log_det = affine(torch.tensor([2.0]), torch.tensor([[1.0], [3.0]]))
    >>> round(y.item(), 4), log_det.item()
    (8.4366, 1.0)
    """

    capabilities = diffeo.Capabilities(context="all", twice_differentiable=True)

    def __init__(self, config: Affine) -> None:
        super().__init__(num_params=2)
        self.scale = diffeo.make(config.scale, at="scale")

    def forward(
        self, x: Float[Tensor, "*S"], params: Float[Tensor, " 2 *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        raw, shift = params.unbind(0)
        log_scale = self.scale(raw)
        return torch.addcmul(shift, x, log_scale.exp()), log_scale

    def inverse(
        self, y: Float[Tensor, "*S"], params: Float[Tensor, " 2 *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        raw, shift = params.unbind(0)
        log_scale = self.scale(raw)
        return (y - shift) * (-log_scale).exp(), -log_scale
