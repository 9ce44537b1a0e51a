"""Residual multilayer perceptron (after He et al. 2016, arXiv:1603.05027; gates as in Durkan et al. 2019, arXiv:1906.04032)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

import diffeo
from diffeo_bijectors.config import ResidualMLP
from diffeo_bijectors.events import Shape
from diffeo_bijectors.flatten import flatten_event, join_context, unflatten_event
from diffeo_bijectors.mlp import zero_linear

__all__ = ["NEAR_ZERO", "ResidualMLPNetwork"]

NEAR_ZERO = 1e-3
"""The last layer of a residual block starts uniform in (-1e-3, 1e-3), so that blocks start near the identity (the
initialisation of Durkan et al. 2019)."""


class ResidualMLPNetwork(diffeo.Network):
    """A linear layer in, ``blocks`` residual blocks, a ReLU and a linear layer out, which starts at zero.

        block(h, c) = h + W2 dropout(relu(W1 relu(h) + b1)) + b2, the sum after h times sigmoid(G c + g) where there is a context

    The context also enters at the input, beside x.

    Shapes: ``(*B, *in_shape)`` to ``(*B, *out_shape)``, any ranks; events and contexts are flattened.

    Source: pre-activation of He, Zhang, Ren and Sun 2016, arXiv:1603.05027; gates and initialisation of Durkan, Bekasov,
    Murray and Papamakarios 2019, arXiv:1906.04032, appendix B.

    >>> import torch, diffeo
    >>> net = diffeo.build("network", {"residual_mlp": {"hidden": 16}}, in_shape=(3,), out_shape=(2, 4))
    >>> net(torch.ones(7, 3)).shape
    torch.Size([7, 2, 4])
    """

    def __init__(
        self, config: ResidualMLP, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        super().__init__(in_shape, out_shape, context_shape)
        features = None if context_shape is None else math.prod(context_shape)
        self.input_layer = nn.Linear(math.prod(self.in_shape) + (features or 0), config.hidden)
        self.blocks = nn.ModuleList(
            ResidualBlock(config.hidden, features, config.dropout) for _ in range(config.blocks)
        )
        self.output_layer = zero_linear(config.hidden, math.prod(self.out_shape))

    def compute(self, x: Float[Tensor, "*B_in"], context: Tensor | None) -> Float[Tensor, "*B_out"]:
        hidden = self.input_layer(join_context(x, self.in_shape, context, self.context_shape))
        flat_context = None
        if context is not None and self.context_shape is not None:
            flat_context = flatten_event(context, self.context_shape)
        for block in self.blocks:
            hidden = block(hidden, flat_context)
        return unflatten_event(self.output_layer(torch.relu(hidden)), self.out_shape)


class ResidualBlock(nn.Module):
    """Two pre-activated linear layers around a skip, gated by the context where there is one."""

    def __init__(self, width: int, context_features: int | None, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        nn.init.uniform_(self.second.weight, -NEAR_ZERO, NEAR_ZERO)
        nn.init.uniform_(self.second.bias, -NEAR_ZERO, NEAR_ZERO)
        self.gate = None if context_features is None else nn.Linear(context_features, width)
        self.dropout = dropout

    def forward(self, hidden: Float[Tensor, "*B H"], context: Float[Tensor, "*B C"] | None) -> Float[Tensor, "*B H"]:
        update = torch.relu(self.first(torch.relu(hidden)))
        update = self.second(F.dropout(update, self.dropout, self.training))
        if self.gate is not None and context is not None:
            update = update * torch.sigmoid(self.gate(context))
        return hidden + update
