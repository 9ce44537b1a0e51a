"""What the networks for images share: an image and its context as one, and the layer that starts at zero.

B any batch shape, N folded batch, C channels, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo_bijectors import fold

__all__ = ["beside", "zero_conv1x1"]


def beside(x: Float[Tensor, "*B C H W"], context: Tensor | None) -> Float[Tensor, " N C2 H W"]:
    """x, batch folded, with a context image of the same size behind its channels, or a context vector at every pixel."""
    leading = x.dim() - 3
    image = fold(x, leading)
    if context is None:
        return image
    context = fold(context, leading)
    if context.dim() == 2:
        context = context[..., None, None].expand(-1, -1, *x.shape[-2:])
    return torch.cat([image, context], 1)


def zero_conv1x1(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1x1 convolution whose weight and bias are zero."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return layer
