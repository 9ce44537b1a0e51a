"""The protocol of an order: a distribution over how many of the first units are kept.

D number of units (the latents of a flow, the channels of a layer).
"""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["Order"]


class Order(nn.Module, ABC):
    """How many of D units are kept, k = 1, ..., D; the units are dropped from the last one on.

    **What an author promises**

    * ``probabilities()`` sums to 1. Whatever an unbounded distribution has beyond D belongs to D: nothing is dropped.
    * ``quantile(u)`` is the smallest k with ``P(k' <= k) >= u``, entry by entry, so that uniform numbers give draws of k.
      No branch on values: it is compiled and run for a batch of models.
    * An implementation is built as ``Implementation(config, shape)`` with ``shape = (D,)``, calls
      ``super().__init__(shape)`` and raises ``ValueError`` ("expected ...; got ...") for a D that does not fit.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        if len(shape) != 1:
            raise ValueError(f"expected the shape (D,) of a row of units; got {tuple(shape)}")
        self.num_units = shape[0]

    @abstractmethod
    def probabilities(self) -> Float[Tensor, " D"]:
        """P(k), k = 1, ..., D, in float64."""

    @abstractmethod
    def quantile(self, u: Float[Tensor, "*S"]) -> Int[Tensor, "*S"]:
        """The number of units kept for uniform numbers in [0, 1)."""

    def extra_repr(self) -> str:
        return f"num_units={self.num_units}"
