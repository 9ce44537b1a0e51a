"""Augmentation (Chen et al. 2020, arXiv:2002.09741, equations 4 to 7).

B any batch shape, C dimensions of a vector or channels of an image, k appended ones.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Augmenter
from diffeo_vflow.conditioning import ConditionedDraw, noise_capabilities
from diffeo_vflow.config_augment import VFlow

__all__ = ["VFlowAugmenter"]

Shape = tuple[int, ...]


class VFlowAugmenter(Augmenter):
    """Appends dimensions that are drawn from a distribution given x, so that the flow behind it is wider than the data.

        augment   y = (x, z),  z ~ q(z | x)      log_weight = -log q(z | x)
        strip     x = the first C entries of y

    so that E[p(x, z) / q(z | x)] over z is p(x). Whatever depends on x alone can be done in front of it; behind it, everything
    acts on x and z alike.

    q is the component in the slot ``distribution``: N(0, I) by default, which ignores x, or any conditional flow. It gets x as its
    context, or features of it from ``encoder``, beside the outer context where there is one: concatenated along the first
    dimension, a vector at every pixel of an image. A q whose draws lie in (0, 1), as that of the paper's image models, ends in

        invert: {steps: [{logit: {alpha: 0}}]}                  # with start: base; the sigmoid

    Shapes: x ``(*B, C, ...)`` to y ``(*B, C + k, ...)``, any rank, x first; z has shape ``(k, ...)``. Numerics: those of q; x is
    copied, so ``strip`` is exact.

    Source: Chen, Lu, Chenli, Zhu and Tian 2020, arXiv:2002.09741, section 3.

    >>> import torch, diffeo
    >>> layer = diffeo.build("augmenter", {"vflow": {"dims": 2}}, shape=(3, 8, 8))
    >>> x = torch.randn(5, 3, 8, 8)
    >>> y, log_weight = layer.augment(x)
    >>> y.shape, log_weight.shape, bool((layer.strip(y) == x).all())
    (torch.Size([5, 5, 8, 8]), torch.Size([5]), True)
    """

    def __init__(self, config: VFlow, shape: Shape, context_shape: Shape | None = None) -> None:
        if not shape:
            raise ValueError("expected an event with at least one dimension, for z to be appended to; got shape ()")
        super().__init__(shape, (shape[0] + config.dims, *shape[1:]), context_shape)
        appended = (config.dims, *self.in_shape[1:])
        self.q = ConditionedDraw(
            config.distribution, config.encoder, appended, given=self.in_shape, context_shape=self.context_shape
        )
        self.capabilities = noise_capabilities(self.q, "q", "real")

    def augment(
        self, x: Float[Tensor, "*B_in"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_out"], Float[Tensor, "*B"]]:
        z, log_q = self.q(x, context)
        return torch.cat([x, z], dim=-len(self.in_shape)), -log_q

    def strip(self, y: Float[Tensor, "*B_out"], *, context: Tensor | None = None) -> Float[Tensor, "*B_in"]:
        return y.narrow(-len(self.in_shape), 0, self.in_shape[0])

    def extra_repr(self) -> str:
        return f"{self.in_shape} -> {self.out_shape}"
