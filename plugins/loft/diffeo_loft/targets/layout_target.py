"""A target of named parameters, most of them under constraints.

B any batch shape, D entries of theta.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from diffeo import ParameterLayout, Target

__all__ = ["LayoutTarget"]


class LayoutTarget(Target):
    """``log_prob(theta) = log_joint(parameters) + log|det d parameters / d theta|``; a subclass has ``log_joint``."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        layout = ParameterLayout(parameters)
        super().__init__((layout.dim,))
        self.layout = layout

    @abstractmethod
    def log_joint(self, values: Mapping[str, Tensor]) -> Tensor:
        """log of prior times likelihood at parameters ``(*B, *shape)``: ``*B``."""

    def log_prob(self, theta: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        values, log_det = self.layout.constrain(theta)
        return self.log_joint(values) + log_det

    def constrain(self, theta: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        return self.layout.flatten(self.layout.constrain(theta)[0])

    def by_name(self, theta: Float[Tensor, "*B D"]) -> dict[str, Tensor]:
        return self.layout.constrain(theta)[0]

    def extra_repr(self) -> str:
        return str(self.layout)
