"""Encoder of a context image by strided convolutions.

N folded batch, C channels, H, W height and width.
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors.config import ConvEncoder
from diffeo_bijectors.images import fold

__all__ = ["ConvEncoderEncoder"]


class ConvEncoderEncoder(diffeo.Encoder):
    """3x3 convolutions of stride 2 with a ReLU after each, the mean over all positions, and a linear layer.

    Shapes: ``(*B, C, H, W)`` to ``(*B, out)``; any height and width.

    >>> import torch, diffeo
    >>> diffeo.build("encoder", {"conv_encoder": {"out": 4}}, shape=(1, 9, 8))(torch.ones(7, 1, 9, 8)).shape
    torch.Size([7, 4])
    """

    def __init__(self, config: ConvEncoder, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise ValueError(f"expected an image of shape (C, H, W); got {tuple(shape)}")
        super().__init__(shape, (config.out,))
        sizes = [shape[0], *config.channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1) for inputs, outputs in itertools.pairwise(sizes)
        )
        self.output_layer = nn.Linear(sizes[-1], config.out)

    def forward(self, context: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B out"]:
        batch = context.shape[:-3]
        hidden = fold(context, len(batch))
        for convolution in self.convolutions:
            hidden = torch.relu(convolution(hidden))
        return self.output_layer(hidden.mean(dim=(-2, -1))).reshape(*batch, *self.out_shape)
