"""Split a vector into its even and its odd entries."""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Alternate
from diffeo_bijectors.events import Shape
from diffeo_bijectors.half import check_vector
from diffeo_bijectors.split import Split

__all__ = ["AlternateSplit"]


class AlternateSplit(Split):
    """A vector of D entries: 0, 2, 4, ... are kept (``ceil(D / 2)`` of them), 1, 3, 5, ... changed; with ``swap`` the other
    way round.

    Shapes: event ``(D,)`` with D >= 2. For images use ``checkerboard`` or ``channel``.

    >>> import torch, diffeo
    >>> kept, changed = diffeo.build("split", "alternate", shape=(5,)).part(torch.arange(5.0))
    >>> kept.tolist(), changed.tolist()
    ([0.0, 2.0, 4.0], [1.0, 3.0])
    """

    def __init__(self, config: Alternate, shape: Shape) -> None:
        (self.size,) = check_vector(shape)
        self.swap = config.swap
        even, odd = (self.size - self.size // 2,), (self.size // 2,)
        super().__init__(shape, *((odd, even) if config.swap else (even, odd)))

    def part(self, x: Float[Tensor, "*B D"]) -> tuple[Tensor, Tensor]:
        even, odd = x[..., 0::2], x[..., 1::2]
        return (odd, even) if self.swap else (even, odd)

    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B D"]:
        even, odd = (changed, kept) if self.swap else (kept, changed)
        pairs = torch.stack([even[..., : self.size // 2], odd], dim=-1).flatten(-2)
        return pairs if self.size % 2 == 0 else torch.cat([pairs, even[..., -1:]], dim=-1)

    def extra_repr(self) -> str:
        return "swap=True" if self.swap else ""
