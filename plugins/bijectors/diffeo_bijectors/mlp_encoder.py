"""Encoder of a raw context by a multilayer perceptron."""

import math

from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors.config import MLPEncoder
from diffeo_bijectors.flatten import flatten_event
from diffeo_bijectors.mlp import hidden_layers

__all__ = ["MLPEncoderEncoder"]


class MLPEncoderEncoder(diffeo.Encoder):
    """Linear layers with a ReLU after each but the last.

    Shapes: ``(*B, *shape)``, any rank, flattened, to ``(*B, out)``.

    >>> import torch, diffeo
    >>> diffeo.build("encoder", {"mlp_encoder": {"out": 4}}, shape=(3,))(torch.ones(7, 3)).shape
    torch.Size([7, 4])
    """

    def __init__(self, config: MLPEncoder, shape: tuple[int, ...]) -> None:
        super().__init__(shape, (config.out,))
        sizes = [math.prod(shape), *config.hidden]
        self.hidden = hidden_layers(sizes)
        self.output_layer = nn.Linear(sizes[-1], config.out)

    def forward(self, context: Float[Tensor, "*B_in"]) -> Float[Tensor, "*B out"]:
        return self.output_layer(self.hidden(flatten_event(context, self.in_shape)))
