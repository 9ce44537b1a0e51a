"""The network of DenseFlow's couplings (Grcic, Grubisic and Segvic 2021, arXiv:2106.04627, section 3.2).

N folded batch, C channels, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors import BatchNorm, check_images
from diffeo_denseflow.attention import LandmarkAttention
from diffeo_denseflow.config import NystromDenseConv
from diffeo_denseflow.dense_layers import GatedDenseLayers
from diffeo_denseflow.images import beside, zero_conv1x1

__all__ = ["NystromDenseConvNetwork"]

Shape = tuple[int, ...]


class NystromDenseConvNetwork(diffeo.Network):
    """Densely connected convolutions and attention over all positions, side by side.

        h = conv1x1(x),    g = conv1x1(relu(norm((attention(h), dense(h))))),    out = conv1x1(g)

    See ``GatedDenseLayers`` and ``LandmarkAttention``. With ``attention: none`` g is made of the dense layers alone. A context,
    a vector or an image of the same height and width, stands beside x. The last convolution starts at zero.

    Shapes: ``(*B, C, H, W)`` to ``(*B, C_out, H, W)``. All leading dimensions are folded into one. With attention H times W is a
    multiple of ``landmarks``; its memory grows with H W.

    Numerics: the norm uses the statistics of the batch while training, so that a layer then maps a row differently in another
    batch, and its inverse undoes it exactly in eval mode only, or with ``diffeo.recorded_statistics`` and
    ``diffeo.replayed_statistics`` around the two. ``batch_norm: false`` does without.

    Source: Grcic, Grubisic and Segvic 2021, arXiv:2106.04627, section 3.2; growth, gate and norm from its released code.

    >>> import torch, diffeo
    >>> spec = {"nystrom_dense_conv": {"channels": 8, "layers": 2, "growth": 4}}
    >>> net = diffeo.build("network", spec, in_shape=(2, 4, 4), out_shape=(6, 4, 4), context_shape=(3,))
    >>> net(torch.ones(7, 2, 4, 4), context=torch.ones(7, 3)).shape
    torch.Size([7, 6, 4, 4])
    """

    def __init__(
        self, config: NystromDenseConv, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        check_images(in_shape, out_shape, context_shape)
        super().__init__(in_shape, out_shape, context_shape)
        channels, (_, height, width) = config.channels, in_shape
        inputs = in_shape[0] + (0 if context_shape is None else context_shape[0])
        self.input_layer = nn.Conv2d(inputs, channels, 1)
        self.dense = GatedDenseLayers(channels, channels, layers=config.layers, growth=config.growth)
        self.attention = None
        if config.attention != "none":
            if height * width % config.landmarks:
                raise ValueError(
                    f"expected height times width to be a multiple of landmarks = {config.landmarks}; "
                    f"got {height} x {width} (attention: none takes any size)"
                )
            self.attention = LandmarkAttention(
                channels, channels, features=config.features, landmarks=config.landmarks, style=config.attention
            )
        joined = channels if self.attention is None else 2 * channels
        self.norm = BatchNorm(joined) if config.batch_norm else nn.Identity()
        self.mix = nn.Conv2d(joined, channels, 1, bias=False)
        self.output_layer = zero_conv1x1(channels, out_shape[0])
        self.capabilities = diffeo.Capabilities(context="all", batch_statistics=config.batch_norm)

    def compute(self, x: Float[Tensor, "*B C H W"], context: Tensor | None) -> Float[Tensor, "*B C_out H W"]:
        hidden = self.input_layer(beside(x, context))
        branches = self.dense(hidden)
        if self.attention is not None:
            branches = torch.cat([self.attention(hidden), branches], 1)
        hidden = self.mix(torch.relu(self.norm(branches)))
        return self.output_layer(hidden).reshape(*x.shape[:-3], *self.out_shape)
