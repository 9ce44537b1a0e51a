"""Two multilayer perceptrons beside each other.

B any batch shape.
"""

import itertools
import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Network
from diffeo_loft.config import TwoMLPs

__all__ = ["TwoMLPsNetwork"]

Shape = tuple[int, ...]


def hidden_layers(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers between the given sizes, a ReLU after each."""
    pairs = itertools.pairwise(sizes)
    return nn.Sequential(*(layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())))


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer whose weight and bias are zero."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class TwoMLPsNetwork(Network):
    """Two perceptrons that share nothing: one computes the first half of the output, the other the second.

    In a coupling or any layer whose transform is ``affine`` the first half are the raw log-scales and the second the
    shifts: ``s = c(S(u))``, ``t = T(u)``. The last layer of either starts at zero.

    Shapes: ``(*B, *in_shape)`` to ``(*B, 2 n, ...)``, any ranks; events are flattened, and a context of any shape is
    flattened and concatenated to the input.

    Source: Andrade 2024, arXiv:2402.16408; Dinh et al. 2017, arXiv:1605.08803, eq. 8.

    >>> import torch, diffeo
    >>> net = diffeo.build("network", {"two_mlps": {"hidden": [16]}}, in_shape=(3,), out_shape=(8,))
    >>> net(torch.ones(7, 3)).shape
    torch.Size([7, 8])
    """

    def __init__(self, config: TwoMLPs, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(in_shape, out_shape, context_shape)
        if not self.out_shape or self.out_shape[0] % 2:
            raise ValueError(
                f"expected an output of two halves, for transforms of two parameters such as affine; got shape {out_shape}"
            )
        inputs = math.prod(self.in_shape) + (0 if self.context_shape is None else math.prod(self.context_shape))
        sizes = [inputs, *config.hidden]
        half = math.prod(self.out_shape) // 2
        self.hidden = nn.ModuleList([hidden_layers(sizes) for _ in range(2)])
        self.output_layer = nn.ModuleList([zero_linear(sizes[-1], half) for _ in range(2)])

    def compute(self, x: Float[Tensor, "*B_in"], context: Tensor | None) -> Float[Tensor, "*B_out"]:
        batch = x.shape[: x.dim() - len(self.in_shape)]
        flat = x.reshape(*batch, math.prod(self.in_shape))
        if context is not None and self.context_shape is not None:
            flat = torch.cat([flat, context.reshape(*batch, math.prod(self.context_shape))], dim=-1)
        last = cast(nn.ModuleList, self.output_layer)
        halves = [out(hidden(flat)) for hidden, out in zip(self.hidden, last, strict=True)]
        return torch.cat(halves, dim=-1).reshape(*batch, *self.out_shape)
