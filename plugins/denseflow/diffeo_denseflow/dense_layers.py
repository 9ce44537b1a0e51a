"""Densely connected convolutions with a gate (after Huang et al. 2017, arXiv:1608.06993).

N folded batch, C channels in, D channels after all layers, F channels out, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["GatedDenseLayers"]


class GatedDenseLayers(nn.Module):
    """Every layer sees the input and what all layers before it returned; a gated 1x1 convolution takes it all in.

        h_0 = x,    h_(i+1) = (h_i, relu(conv3x3(relu(conv1x1(h_i)))))          growth channels more
        a, b, c = conv1x1(h_last),    out = a + b * sigmoid(c)

    Source: the layers of DenseFlow's released code, as of Hoogeboom et al. 2019 (arXiv:1905.07376), from a description of them.
    """

    def __init__(self, inputs: int, outputs: int, *, layers: int, growth: int) -> None:
        super().__init__()
        sizes = [inputs + growth * index for index in range(layers + 1)]
        self.inner = nn.ModuleList(nn.Conv2d(size, size, 1) for size in sizes[:-1])
        self.outer = nn.ModuleList(nn.Conv2d(size, growth, 3, padding=1) for size in sizes[:-1])
        self.gate = nn.Conv2d(sizes[-1], 3 * outputs, 1)

    def forward(self, x: Float[Tensor, " N C H W"]) -> Float[Tensor, " N F H W"]:
        for inner, outer in zip(self.inner, self.outer, strict=True):
            x = torch.cat([x, torch.relu(outer(torch.relu(inner(x))))], 1)
        value, gated, gate = self.gate(x).chunk(3, 1)
        return value + gated * torch.sigmoid(gate)
