"""Multilayer perceptrons side by side, each for a part of the output.

B any batch shape, N networks, I and O inputs and outputs of one of them.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors.config import SeparateMLPs
from diffeo_bijectors.events import Shape
from diffeo_bijectors.flatten import join_context

__all__ = ["SeparateLinear", "SeparateMLPsNetwork"]


class SeparateLinear(nn.Module):
    """N linear layers, each on a row of its own: ``(*B, N, I)`` to ``(*B, N, O)``; starts as ``nn.Linear`` does."""

    def __init__(self, networks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs) if inputs else 0.0
        self.weight = nn.Parameter(torch.empty(networks, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(networks, outputs).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "*B N I"]) -> Float[Tensor, "*B N O"]:
        return torch.einsum("...ni,noi->...no", x, self.weight) + self.bias


class SeparateMLPsNetwork(diffeo.Network):
    """N perceptrons that share nothing; each sees all of x and computes an equal share of the first output dimension.

    A coupling asks for its transform's parameters one after the other, so that with an affine transform and two networks the
    raw scales come from one and the shifts from the other. ReLU after each layer but the last, which starts at zero or, with
    ``init: uniform``, as any other layer.

    Shapes: ``(*B, *in_shape)`` to ``(*B, *out_shape)``, any ranks, where N divides ``out_shape[0]``; events are flattened, and
    a context of any shape is flattened and concatenated to the input.

    >>> import torch, diffeo
    >>> net = diffeo.build("network", {"separate_mlps": {"hidden": [16]}}, in_shape=(3,), out_shape=(4,))
    >>> net(torch.ones(7, 3)).shape
    torch.Size([7, 4])
    """

    def __init__(
        self, config: SeparateMLPs, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        super().__init__(in_shape, out_shape, context_shape)
        if not self.out_shape or self.out_shape[0] % config.networks:
            raise ValueError(
                f"expected an output whose first dimension is divided by {config.networks} networks; got {self.out_shape}"
            )
        self.networks = config.networks
        inputs = math.prod(self.in_shape) + (0 if context_shape is None else math.prod(context_shape))
        self.hidden = _hidden_layers(config.networks, [inputs, *config.hidden])
        outputs = math.prod(self.out_shape) // config.networks
        last = SeparateLinear(config.networks, [inputs, *config.hidden][-1], outputs)
        if config.init == "zero":
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.output_layer = last

    def compute(self, x: Float[Tensor, "*B_in"], context: Tensor | None) -> Float[Tensor, "*B_out"]:
        flat = join_context(x, self.in_shape, context, self.context_shape)
        batch = flat.shape[:-1]
        rows = flat[..., None, :].expand(*batch, self.networks, flat.shape[-1])
        return self.output_layer(self.hidden(rows)).reshape(*batch, *self.out_shape)


def _hidden_layers(networks: int, sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [SeparateLinear(networks, inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)
