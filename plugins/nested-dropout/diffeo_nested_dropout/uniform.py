"""Every number of units is as likely as any other.

D number of units.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffeo_nested_dropout.config import Uniform
from diffeo_nested_dropout.order import Order

__all__ = ["UniformOrder"]


class UniformOrder(Order):
    """P(k) = 1 / D,  k = 1, ..., D.

    Shapes: u ``(*S)`` to k ``(*S)``, ``k = 1 + floor(D u)``.

    Source: the fixed distribution of Cui, Wu, Liu, Li and Wang 2021, arXiv:2101.11353, compares with.

    >>> import torch, diffeo
    >>> diffeo.build("order", "uniform", shape=(4,)).quantile(torch.tensor([0.0, 0.3, 0.9]))
    tensor([1, 2, 4])
    """

    def __init__(self, config: Uniform, shape: tuple[int, ...]) -> None:
        super().__init__(shape)

    def probabilities(self) -> Float[Tensor, " D"]:
        return torch.full((self.num_units,), 1.0 / self.num_units, dtype=torch.float64)

    def quantile(self, u: Float[Tensor, "*S"]) -> Int[Tensor, "*S"]:
        return (1.0 + (u * self.num_units).floor()).clamp(1, self.num_units).to(torch.int64)
