"""The geometric distribution of Rippel et al. 2014, arXiv:1402.0915, section 2.

D number of units.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffeo_nested_dropout.config import Geometric
from diffeo_nested_dropout.order import Order

__all__ = ["GeometricOrder"]


class GeometricOrder(Order):
    """Every unit after the first is dropped with the same probability, given that the one before it is kept.

        P(k) = (1 - p)^(k - 1) p,   k < D;        P(D) = (1 - p)^(D - 1): the tail, where nothing is dropped

    It is not renormalised: with p = 1e-3, 36 % of the draws keep all of 1024 units.

    Shapes: u ``(*S)`` to k ``(*S)``. Numerics: ``k = 1 + floor(log(1 - u) / log(1 - p))`` by log1p, which float32 gives to
    rounding at the boundary between two k; p = 1 keeps the first unit only.

    Source: Rippel, Gelbart and Adams 2014, arXiv:1402.0915, section 2; Bekasov and Murray 2020, arXiv:2006.08777.

    >>> import diffeo
    >>> diffeo.build("order", {"geometric": {"p": 0.5}}, shape=(3,)).probabilities()
    tensor([0.5000, 0.2500, 0.2500], dtype=torch.float64)
    """

    def __init__(self, config: Geometric, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.p = config.p

    def probabilities(self) -> Float[Tensor, " D"]:
        before = torch.arange(self.num_units, dtype=torch.float64)
        survival = (1.0 - self.p) ** before  # P(k > number)
        return torch.cat([self.p * survival[:-1], survival[-1:]])

    def quantile(self, u: Float[Tensor, "*S"]) -> Int[Tensor, "*S"]:
        if self.p == 1.0:
            return torch.ones_like(u, dtype=torch.int64)
        dropped_after = torch.log1p(-u) / math.log1p(-self.p)
        return (1.0 + dropped_after.floor()).clamp(1, self.num_units).to(torch.int64)

    def extra_repr(self) -> str:
        return f"p={self.p:g}, {super().extra_repr()}"
