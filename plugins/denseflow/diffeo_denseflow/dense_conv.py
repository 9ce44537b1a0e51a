"""The network of DenseFlow's dequantization (Hoogeboom et al. 2020, arXiv:2001.11235; Nielsen et al. 2020, arXiv:2007.02731).

N folded batch, C channels, H, W height and width.
"""

from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors import check_images
from diffeo_denseflow.config import DenseConv
from diffeo_denseflow.dense_layers import GatedDenseLayers
from diffeo_denseflow.images import beside, zero_conv1x1

__all__ = ["DenseConvNetwork"]

Shape = tuple[int, ...]


class DenseConvNetwork(diffeo.Network):
    """Densely connected convolutions around a skip.

        h = conv1x1(x),    out = conv1x1(h + dense(h))

    See ``GatedDenseLayers``. A context, a vector or an image of the same height and width, stands beside x. The last convolution
    starts at zero.

    Shapes: ``(*B, C, H, W)`` to ``(*B, C_out, H, W)``. All leading dimensions are folded into one.

    Source: the dequantization of Nielsen et al. 2020, arXiv:2007.02731, which DenseFlow took over.

    >>> import torch, diffeo
    >>> spec = {"dense_conv": {"channels": 8, "layers": 2, "growth": 4}}
    >>> net = diffeo.build("network", spec, in_shape=(2, 4, 4), out_shape=(6, 4, 4), context_shape=(3, 4, 4))
    >>> net(torch.ones(7, 2, 4, 4), context=torch.ones(7, 3, 4, 4)).shape
    torch.Size([7, 6, 4, 4])
    """

    def __init__(
        self, config: DenseConv, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        check_images(in_shape, out_shape, context_shape)
        super().__init__(in_shape, out_shape, context_shape)
        inputs = in_shape[0] + (0 if context_shape is None else context_shape[0])
        self.input_layer = nn.Conv2d(inputs, config.channels, 1)
        self.dense = GatedDenseLayers(config.channels, config.channels, layers=config.layers, growth=config.growth)
        self.output_layer = zero_conv1x1(config.channels, out_shape[0])

    def compute(self, x: Float[Tensor, "*B C H W"], context: Tensor | None) -> Float[Tensor, "*B C_out H W"]:
        hidden = self.input_layer(beside(x, context))
        return self.output_layer(hidden + self.dense(hidden)).reshape(*x.shape[:-3], *self.out_shape)
