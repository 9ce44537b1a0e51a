"""Masked multilayer perceptron, MADE (Germain et al. 2015, arXiv:1502.03509).

B any batch shape, D entries, P outputs per entry.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

import diffeo

__all__ = ["MaskedLinear", "MaskedMLP"]


def spread_degrees(width: int, lowest: int, highest: int) -> Int[Tensor, " W"]:
    """``width`` degrees spread evenly over ``lowest .. highest``, both ends included where there is room."""
    places = torch.arange(width, dtype=torch.float64) * float(highest - lowest) / max(width - 1, 1)
    return lowest + places.round().long()


def mask_between(inputs: Int[Tensor, " I"], outputs: Int[Tensor, " O"]) -> Bool[Tensor, " O I"]:
    """Connect an output of degree m to every input of degree <= m."""
    return outputs[:, None] >= inputs[None, :]


class MaskedLinear(nn.Linear):
    """A linear layer some of whose connections are cut: ``y = (mask * weight) x + bias``."""

    mask: Tensor

    def __init__(self, inputs: Int[Tensor, " I"], outputs: Int[Tensor, " O"]) -> None:
        super().__init__(len(inputs), len(outputs))
        self.register_buffer("mask", mask_between(inputs, outputs), persistent=False)

    def forward(self, input: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return F.linear(input, self.mask * self.weight, self.bias)


class MaskedMLP(diffeo.Network):
    """An MLP whose outputs for entry i see the entries before i, and the whole context.

    Degrees: entry j (from 1) has degree j; a hidden unit of degree m sees entries 1 .. m and hidden units of degree <= m;
    the outputs of entry i see hidden units of degree <= i - 1. Hidden degrees spread evenly over 0 .. D - 1. The context
    enters every unit of the first layer; units of degree 0 see nothing else, and through them the first entry, too, depends
    on the context. Without a context degree 0 is left out.

    Shapes: ``(*B, D)`` to ``(*B, P * D)``: the first parameter of all entries, then the second of all, ...

    Source: Germain, Gregor, Murray and Larochelle 2015, arXiv:1502.03509, eq. 8 to 13.
    """

    def __init__(
        self, size: int, num_params: int, hidden: Sequence[int], context_shape: tuple[int, ...] | None
    ) -> None:
        super().__init__((size,), (num_params * size,), context_shape)
        lowest = min(1, size - 1) if context_shape is None else 0
        degrees = [torch.arange(1, size + 1), *(spread_degrees(width, lowest, size - 1) for width in hidden)]
        self.layers = nn.ModuleList(MaskedLinear(inputs, outputs) for inputs, outputs in itertools.pairwise(degrees))
        self.output_layer = MaskedLinear(degrees[-1], torch.arange(size).repeat(num_params))
        nn.init.zeros_(self.output_layer.weight)
        nn.init.zeros_(self.output_layer.bias)
        self.context_layer = None
        if self.context_shape is not None:
            self.context_layer = nn.Linear(math.prod(self.context_shape), hidden[0], bias=False)

    def compute(self, x: Float[Tensor, "*B D"], context: Tensor | None) -> Float[Tensor, "*B P_D"]:
        hidden = x
        for i, layer in enumerate(self.layers):
            hidden = layer(hidden)
            if i == 0 and self.context_layer is not None and context is not None:
                hidden = hidden + self.context_layer(context.reshape(*x.shape[:-1], self.context_layer.in_features))
            hidden = torch.relu(hidden)
        return self.output_layer(hidden)
