"""Exchange the two parts of a split, so that the next coupling changes what the last one kept.

B any batch shape.
"""

from jaxtyping import Float
from torch import Tensor

import diffeo
from diffeo import Bijector, Capabilities
from diffeo_bijectors import Split
from diffeo_vflow.config import SwapParts

__all__ = ["SwapPartsBijector"]

Shape = tuple[int, ...]


class SwapPartsBijector(Bijector):
    """``join(a, b)`` becomes ``join(b, a)``; it is its own inverse, with log-det 0.

    With it at the end of a ``repeat``, couplings with one and the same split take turns, for any number of them.

    Shapes: whatever the split divides into parts of the same shape. Exact to the bit. Takes a context and ignores it.

    Source: the flip of the two halves in the code of Ho et al. 2019, arXiv:1902.00275.

    >>> import torch, diffeo
    >>> swap = diffeo.build("bijector", {"swap_parts": {"split": "half"}}, shape=(4,))
    >>> swap(torch.arange(4.0))[0].tolist()
    [2.0, 3.0, 0.0, 1.0]
    """

    capabilities = Capabilities(preserves_volume=True, twice_differentiable=True)
    split: Split

    def __init__(self, config: SwapParts, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape=context_shape)
        self.split = diffeo.make(config.split, self.in_shape, at="split")
        if self.split.kept_shape != self.split.changed_shape:
            raise ValueError(
                f"expected a split into parts of one shape; got {self.split.kept_shape} and {self.split.changed_shape}"
            )

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        rank = len(self.in_shape)
        if x.dim() < rank or tuple(x.shape[x.dim() - rank :]) != self.in_shape:
            raise ValueError(
                f"expected an input of shape (*B, {', '.join(map(str, self.in_shape))}); got {tuple(x.shape)}"
            )
        kept, changed = self.split.part(x)
        return self.split.join(changed, kept), x.new_zeros(x.shape[: x.dim() - rank])

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        return self.forward(y, context=context)
