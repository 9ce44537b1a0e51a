"""Another shape for the same event."""

import math

from jaxtyping import Float
from torch import Tensor

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_preprocessing import Reshape
from diffeo_bijectors.events import Shape, batch_shape, zero_log_det

__all__ = ["ReshapeBijector"]


def resolve(target: Shape, shape: Shape) -> Shape:
    """``target`` with its -1 computed from the number of entries of ``shape``.

    >>> resolve((2, -1), (3, 4))
    (2, 6)
    """
    size, known = math.prod(shape), math.prod(side for side in target if side != -1)
    free = target.count(-1)
    fits = known == size if free == 0 else free == 1 and known > 0 and size % known == 0
    if not fits:
        raise ValueError(f"expected a shape with {size} entries, as {tuple(shape)} has; got {tuple(target)}")
    return tuple(size // known if side == -1 else side for side in target)


class ReshapeBijector(Bijector):
    """The same entries in row-major order under another event shape; flattens by default.

        forward   y = reshape(x, shape)      inverse: back      log_det = 0

    Shapes: x ``(*B, *in_shape)``, y ``(*B, *shape)``. Exact to the bit. Takes a context and ignores it.

    >>> import torch
    >>> from diffeo_bijectors.config_preprocessing import Reshape
    >>> ReshapeBijector(Reshape(), (1, 28, 28))(torch.zeros(5, 1, 28, 28))[0].shape
    torch.Size([5, 784])
    """

    capabilities = Capabilities(preserves_volume=True, twice_differentiable=True)

    def __init__(self, config: Reshape, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, resolve(tuple(config.shape), tuple(shape)), context_shape)

    def forward(
        self, x: Float[Tensor, "*B_in"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_out"], Float[Tensor, "*B"]]:
        return x.reshape(*batch_shape(x, self.in_shape), *self.out_shape), zero_log_det(x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_out"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_in"], Float[Tensor, "*B"]]:
        return y.reshape(*batch_shape(y, self.out_shape), *self.in_shape), zero_log_det(y, self.out_shape)

    def extra_repr(self) -> str:
        return f"{self.in_shape} -> {self.out_shape}"
