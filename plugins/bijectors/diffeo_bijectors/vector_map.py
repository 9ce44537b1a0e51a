"""What linear maps of vectors share: a matrix that knows its product, its solution and its determinant, and a bias.

Dimensions: B any batch shape, D entries of a vector.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Bijector
from diffeo_bijectors.events import Shape, constant_log_det, full_precision, require_vector

__all__ = ["VectorMap"]


class VectorMap(Bijector):
    """``y = W x + bias`` with ``log|det W|``, and back; ``matrix`` has ``multiply``, ``solve`` and ``log_det``. Abstract.

    Shapes: x, y ``(*B, D)``. An outer autocast is switched off inside.
    """

    matrix: Any

    def __init__(self, shape: Shape, context_shape: Shape | None = None) -> None:
        require_vector(shape)
        super().__init__(shape, None, context_shape)

    def _set(self, matrix: nn.Module) -> None:
        """The parameters: those of a matrix, and a bias of zeros."""
        self.matrix = matrix
        self.bias = nn.Parameter(torch.zeros(self.in_shape))

    def forward(
        self, x: Float[Tensor, "*B D"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B D"], Float[Tensor, "*B"]]:
        with full_precision(x):
            return self.matrix.multiply(x) + self.bias, constant_log_det(self.matrix.log_det(), x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B D"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B D"], Float[Tensor, "*B"]]:
        with full_precision(y):
            return self.matrix.solve(y - self.bias), constant_log_det(-self.matrix.log_det(), y, self.in_shape)
