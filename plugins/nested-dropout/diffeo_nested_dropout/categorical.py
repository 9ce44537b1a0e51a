"""Given numbers of units with given probabilities.

D number of units, N number of sizes.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffeo_nested_dropout.config import Categorical
from diffeo_nested_dropout.order import Order

__all__ = ["CategoricalOrder"]


class CategoricalOrder(Order):
    """P(sizes_n) = weights_n / sum of the weights; for codes of a few lengths that are known beforehand.

    Shapes: u ``(*S)`` to k ``(*S)``. Numerics: u is compared with the cumulative probabilities in its own dtype.

    Source: as for any inverse transform sampling; Devroye 1986, doi:10.1007/978-1-4613-8643-8, section III.2.

    >>> import torch, diffeo
    >>> order = diffeo.build("order", {"categorical": {"sizes": [4, 1], "weights": [3, 1]}}, shape=(4,))
    >>> order.quantile(torch.tensor([0.1, 0.25, 0.9]))
    tensor([1, 4, 4])
    """

    def __init__(self, config: Categorical, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        if max(config.sizes) > self.num_units:
            raise ValueError(f"sizes: expected at most {self.num_units}, all there are; got {max(config.sizes)}")
        weights = config.weights or (1.0,) * len(config.sizes)
        total = sum(weights)
        pairs = sorted((size, weight / total) for size, weight in zip(config.sizes, weights, strict=True) if weight > 0)
        self.sizes = [size for size, _ in pairs]
        self.chances = [chance for _, chance in pairs]

    def probabilities(self) -> Float[Tensor, " D"]:
        result = torch.zeros(self.num_units, dtype=torch.float64)
        result[torch.tensor(self.sizes) - 1] = torch.tensor(self.chances, dtype=torch.float64)
        return result

    def quantile(self, u: Float[Tensor, "*S"]) -> Int[Tensor, "*S"]:
        ends = torch.tensor(self.chances, dtype=torch.float64).cumsum(0)[:-1].to(u)
        sizes = torch.tensor(self.sizes, device=u.device)
        return sizes[(u[..., None] >= ends).sum(-1)]

    def extra_repr(self) -> str:
        return f"sizes={self.sizes}, {super().extra_repr()}"
