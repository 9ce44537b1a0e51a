"""The context network of Flow++ (Ho et al. 2019, arXiv:1902.00275): features of an image for every coupling.

N folded batch, C, F channels, H, W height and width.
"""

from jaxtyping import Float
from torch import Tensor, cat, nn

import diffeo
from diffeo_bijectors import Split, fold
from diffeo_vflow.config import GatedConvEncoder
from diffeo_vflow.gated_blocks import BlockStyle, GatedConv
from diffeo_vflow.gated_conv_attention import GatedLayers
from diffeo_vflow.initialized_conv import InitializedConv

__all__ = ["GatedConvEncoderEncoder"]

Shape = tuple[int, ...]


class GatedConvEncoderEncoder(diffeo.Encoder):
    """Both parts of a split image on top of each other, a 3x3 convolution, then gated convolutions.

        h = conv(cat(part(x)));      blocks times: h = gated_conv(h), with two 3x3 convolutions and without a norm

    The features have the height and width of a part, and so of what a coupling with the same split conditions on. With
    ``attention`` the blocks are those of ``gated_conv_attention``: norms, and an attention after each convolution.

    Shapes: ``(*B, C, H, W)`` to ``(*B, channels, H', W')`` where the parts of the split are ``(C', H', W')``; for the split
    ``column`` H' = H and W' = W / 2.

    Source: Ho, Chen, Srinivas, Duan and Abbeel 2019, arXiv:1902.00275; sizes as in its code.

    >>> import torch, diffeo
    >>> encoder = diffeo.build("encoder", {"gated_conv_encoder": {"channels": 8}}, shape=(3, 4, 4))
    >>> encoder(torch.ones(7, 3, 4, 4)).shape
    torch.Size([7, 8, 4, 2])
    """

    split: Split

    def __init__(self, config: GatedConvEncoder, shape: Shape) -> None:
        split: Split = diffeo.make(config.split, tuple(shape), at="split")
        (kept, *size), (changed, *other) = split.kept_shape, split.changed_shape
        if len(size) != 2 or size != other:
            raise ValueError(
                f"expected a split into two images of one height and width; got {split.kept_shape} and {split.changed_shape}"
            )
        super().__init__(shape, (config.channels, *size))
        style = BlockStyle(config.channels, config.dropout, config.weight_norm)
        self.split = split
        self.input_layer = InitializedConv(kept + changed, config.channels, weight_norm=config.weight_norm)
        self.layers = (
            GatedLayers(style, config.blocks, config.heads, (size[0], size[1]), None)
            if config.attention
            else nn.Sequential(*(GatedConv(style, kernel=3) for _ in range(config.blocks)))
        )
        self.attention = config.attention

    def forward(self, context: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B F H2 W2"]:
        batch = context.shape[:-3]
        hidden = self.input_layer(cat(self.split.part(fold(context, len(batch))), 1))
        hidden = self.layers(hidden, None) if self.attention else self.layers(hidden)
        return hidden.reshape(*batch, *self.out_shape)
