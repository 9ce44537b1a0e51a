"""The context network of DenseFlow's dequantization (Nielsen et al. 2020, arXiv:2007.02731).

N folded batch, C, F channels, H, W height and width.
"""

from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors import fold
from diffeo_denseflow.config import DenseConvEncoder
from diffeo_denseflow.dense_layers import GatedDenseLayers

__all__ = ["DenseConvEncoderEncoder"]

Shape = tuple[int, ...]


class DenseConvEncoderEncoder(diffeo.Encoder):
    """Densely connected convolutions, a 2x2 convolution of stride 2, and densely connected convolutions again.

    The features have the height and width of a squeezed image, on which couplings with them as a context work.

    Shapes: ``(*B, C, H, W)`` to ``(*B, channels, H / 2, W / 2)``; H and W even.

    Source: the dequantization of Nielsen et al. 2020, arXiv:2007.02731, which DenseFlow took over.

    >>> import torch, diffeo
    >>> encoder = diffeo.build("encoder", {"dense_conv_encoder": {"channels": 8, "layers": 2}}, shape=(3, 6, 4))
    >>> encoder(torch.ones(7, 3, 6, 4)).shape
    torch.Size([7, 8, 3, 2])
    """

    def __init__(self, config: DenseConvEncoder, shape: Shape) -> None:
        if len(shape) != 3 or shape[1] % 2 or shape[2] % 2:
            raise ValueError(f"expected an image of shape (C, H, W) with H and W even; got {tuple(shape)}")
        channels, height, width = shape
        super().__init__(shape, (config.channels, height // 2, width // 2))
        self.first = GatedDenseLayers(channels, config.channels, layers=config.layers, growth=config.growth)
        self.halve = nn.Conv2d(config.channels, config.channels, 2, stride=2)
        self.second = GatedDenseLayers(config.channels, config.channels, layers=config.layers, growth=config.growth)

    def forward(self, context: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B F H2 W2"]:
        batch = context.shape[:-3]
        return self.second(self.halve(self.first(fold(context, len(batch))))).reshape(*batch, *self.out_shape)
