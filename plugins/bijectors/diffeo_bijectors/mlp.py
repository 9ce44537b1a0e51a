"""Multilayer perceptron."""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors.config import MLP
from diffeo_bijectors.events import Shape
from diffeo_bijectors.flatten import join_context, unflatten_event

__all__ = ["MLPNetwork", "hidden_layers", "zero_linear"]


def hidden_layers(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers between the given sizes, a ReLU after each."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class MLPNetwork(diffeo.Network):
    """Linear layers with a ReLU after each but the last, which starts at zero.

    Shapes: ``(*B, *in_shape)`` to ``(*B, *out_shape)``, any ranks; events are flattened, and a context of any shape is
    flattened and concatenated to the input.

    >>> import torch, diffeo
    >>> net = diffeo.build("network", {"mlp": {"hidden": [16]}}, in_shape=(3,), out_shape=(2, 4), context_shape=(5,))
    >>> net(torch.ones(7, 3), context=torch.ones(7, 5)).shape
    torch.Size([7, 2, 4])
    """

    def __init__(self, config: MLP, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(in_shape, out_shape, context_shape)
        inputs = math.prod(self.in_shape) + (0 if context_shape is None else math.prod(context_shape))
        self.hidden = hidden_layers([inputs, *config.hidden])
        self.output_layer = zero_linear([inputs, *config.hidden][-1], math.prod(self.out_shape))

    def compute(self, x: Float[Tensor, "*B_in"], context: Tensor | None) -> Float[Tensor, "*B_out"]:
        flat = join_context(x, self.in_shape, context, self.context_shape)
        return unflatten_event(self.output_layer(self.hidden(flat)), self.out_shape)


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer whose weight and bias are zero."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    return layer
