"""Permutations of the first event dimension: entries of a vector, channels of an image.

Dimensions: B any batch shape, D the first event dimension.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_linear import Permutation, Reverse, Shuffle
from diffeo_bijectors.events import Shape, require_dimension, zero_log_det

__all__ = ["PermutationBijector", "ReverseBijector", "ShuffleBijector"]


def permute(x: Tensor, indices: Tensor, shape: Shape) -> Tensor:
    """``y[i] = x[indices[i]]`` along the first event dimension."""
    return x.index_select(-len(shape), indices)


class ReverseBijector(Bijector):
    """Reverses the first event dimension (the channels of an image).

        forward and inverse   y[i] = x[D - 1 - i]      log_det = 0

    Shapes: x, y ``(*B, D, ...)``. Exact to the bit. Takes a context and ignores it.

    >>> import torch
    >>> from diffeo_bijectors.config_linear import Reverse
    >>> ReverseBijector(Reverse(), (3,))(torch.tensor([1.0, 2.0, 3.0]))
    (tensor([3., 2., 1.]), tensor(0.))
    """

    capabilities = Capabilities(preserves_volume=True, twice_differentiable=True)

    def __init__(self, config: Reverse, shape: Shape, context_shape: Shape | None = None) -> None:
        require_dimension(shape)
        super().__init__(shape, None, context_shape)

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return x.flip(-len(self.in_shape)), zero_log_det(x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return self(y)


class ShuffleBijector(Bijector):
    """Permutes the first event dimension (the channels of an image) by a permutation drawn at construction.

        forward   y[i] = x[indices[i]]      inverse   x[indices[i]] = y[i]      log_det = 0

    The permutation comes from torch's global generator and is saved with the weights; the way back is computed from it.
    Shapes: x, y ``(*B, D, ...)``. Exact to the bit. Takes a context and ignores it.

    >>> import torch
    >>> from diffeo_bijectors.config_linear import Shuffle
    >>> layer = ShuffleBijector(Shuffle(), (5,))
    >>> sorted(layer(torch.arange(5.0))[0].tolist())
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """

    indices: Tensor

    capabilities = Capabilities(preserves_volume=True, twice_differentiable=True)

    def __init__(self, config: Shuffle, shape: Shape, context_shape: Shape | None = None) -> None:
        require_dimension(shape)
        super().__init__(shape, None, context_shape)
        self.register_buffer("indices", torch.randperm(self.in_shape[0]))

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return permute(x, self.indices, self.in_shape), zero_log_det(x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return permute(y, self.indices.argsort(), self.in_shape), zero_log_det(y, self.in_shape)


class PermutationBijector(Bijector):
    """Permutes the first event dimension (the channels of an image) by given indices.

        forward   y[i] = x[indices[i]]      inverse   x[indices[i]] = y[i]      log_det = 0

    Shapes: x, y ``(*B, D, ...)``. Exact to the bit. Takes a context and ignores it.

    >>> import torch
    >>> from diffeo_bijectors.config_linear import Permutation
    >>> PermutationBijector(Permutation(indices=(2, 0, 1)), (3,))(torch.tensor([1.0, 2.0, 3.0]))[0]
    tensor([3., 1., 2.])
    """

    indices: Tensor

    capabilities = Capabilities(preserves_volume=True, twice_differentiable=True)

    def __init__(self, config: Permutation, shape: Shape, context_shape: Shape | None = None) -> None:
        require_dimension(shape)
        if len(config.indices) != shape[0] or sorted(config.indices) != list(range(shape[0])):
            raise ValueError(
                f"expected every index from 0 to {shape[0] - 1} once, for shape {tuple(shape)}; "
                f"got {list(config.indices)}"
            )
        super().__init__(shape, None, context_shape)
        self.register_buffer("indices", torch.tensor(config.indices, dtype=torch.int64), persistent=False)

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return permute(x, self.indices, self.in_shape), zero_log_det(x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return permute(y, self.indices.argsort(), self.in_shape), zero_log_det(y, self.in_shape)
