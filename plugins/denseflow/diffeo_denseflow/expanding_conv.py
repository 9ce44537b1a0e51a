"""The network of DenseFlow's cross-unit couplings (Grcic, Grubisic and Segvic 2021, arXiv:2106.04627).

N folded batch, C channels, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors import check_images
from diffeo_denseflow.config import ExpandingConv
from diffeo_denseflow.images import beside, zero_conv1x1

__all__ = ["ExpandingConvNetwork"]

Shape = tuple[int, ...]


class ExpandingConvNetwork(diffeo.Network):
    """``conv1x1(relu(conv3x3(x)))`` with ``expansion`` times the channels of the input in between; it starts at zero.

    A context, a vector or an image of the same height and width, stands beside x and counts among its channels.

    Shapes: ``(*B, C, H, W)`` to ``(*B, C_out, H, W)``. All leading dimensions are folded into one.

    Source: the released code of Grcic, Grubisic and Segvic 2021, arXiv:2106.04627; the paper names no sizes.

    >>> import torch, diffeo
    >>> net = diffeo.build("network", "expanding_conv", in_shape=(2, 4, 4), out_shape=(6, 4, 4))
    >>> net(torch.ones(7, 2, 4, 4)).shape
    torch.Size([7, 6, 4, 4])
    """

    def __init__(
        self, config: ExpandingConv, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        check_images(in_shape, out_shape, context_shape)
        super().__init__(in_shape, out_shape, context_shape)
        inputs = in_shape[0] + (0 if context_shape is None else context_shape[0])
        self.input_layer = nn.Conv2d(inputs, config.expansion * inputs, 3, padding=1)
        self.output_layer = zero_conv1x1(config.expansion * inputs, out_shape[0])

    def compute(self, x: Float[Tensor, "*B C H W"], context: Tensor | None) -> Float[Tensor, "*B C_out H W"]:
        return self.output_layer(torch.relu(self.input_layer(beside(x, context)))).reshape(
            *x.shape[:-3], *self.out_shape
        )
