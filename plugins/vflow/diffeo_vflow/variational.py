"""Variational dequantization (Ho et al. 2019, arXiv:1902.00275, section 3.1).

B any batch shape.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from diffeo import Augmenter
from diffeo_vflow.conditioning import ConditionedDraw, noise_capabilities
from diffeo_vflow.config_augment import Variational

__all__ = ["VariationalDequantization"]

Shape = tuple[int, ...]


def squash(v: Tensor, event_dims: int) -> tuple[Tensor, Tensor]:
    """u = sigmoid(v) and log|det du/dv|, summed over the event in at least float32."""
    log_slope = F.logsigmoid(v) + F.logsigmoid(-v)
    dtype = torch.promote_types(v.dtype, torch.float32)
    return torch.sigmoid(v), log_slope.sum(tuple(range(-event_dims, 0)), dtype=dtype)


def inside_cell(x: Tensor, u: Tensor) -> Tensor:
    """x + u, moved to the last number below x + 1 where it rounds up to it."""
    below = torch.nextafter(x.detach() + 1, x.detach())
    return torch.minimum(x + u, below)


class VariationalDequantization(Augmenter):
    """Adds noise to integers whose distribution is learned, and knows x.

        augment   y = x + u,  u = sigmoid(v),  v ~ r(v | x)      log_weight = -log r(u | x)
                                                                             = -log r(v | x) + log|det du/dv|
        strip     x = floor(y)

    E[p(x + u) / r(u | x)] over u is the integral of p over [x, x + 1), the probability that p gives to x; the closer r(u | x) is to
    p over the cell, the tighter the bound. y keeps the unit of the data.

    r is the component in the slot ``distribution``. It gets scale * x + shift as its context, or features of it from ``encoder``,
    beside the outer context where there is one, as in ``vflow``.

    Shapes: x, y ``(*B, *event)``, any rank from 1; x holds integers, in an integer dtype (then y has the dtype of the layer) or a
    floating one. Numerics: log-terms are computed from v, so that they stay finite where u rounds to 0 or 1; y never rounds up
    to x + 1, so that ``strip`` gives back every integer up to 2^23 in float32.

    Source: Ho, Chen, Srinivas, Duan and Abbeel 2019, arXiv:1902.00275, section 3.1.

    >>> import torch, diffeo
    >>> layer = diffeo.build("dequantization", "variational", shape=(2,))
    >>> y, log_weight = layer.augment(torch.tensor([3, 255]))
    >>> layer.strip(y)
    tensor([  3., 255.], grad_fn=<FloorBackward0>)
    """

    def __init__(self, config: Variational, shape: Shape, context_shape: Shape | None = None) -> None:
        if not shape:
            raise ValueError("expected an event with at least one dimension; got shape ()")
        super().__init__(shape, None, context_shape)
        self.scale, self.shift = config.scale, config.shift
        self.r = ConditionedDraw(
            config.distribution, config.encoder, self.in_shape, given=self.in_shape, context_shape=self.context_shape
        )
        self.capabilities = noise_capabilities(self.r, "r", "integers")

    def augment(
        self, x: Tensor, *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        whole = x if x.is_floating_point() else x.to(self.r.distribution.like.dtype)
        v, log_r = self.r(self.scale * whole + self.shift, context)
        u, log_det = squash(v, len(self.in_shape))
        return inside_cell(whole, u), log_det - log_r

    def strip(self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None) -> Float[Tensor, "*B_event"]:
        return y.floor()

    def extra_repr(self) -> str:
        return f"{self.in_shape}, scale={self.scale:g}, shift={self.shift:g}"
