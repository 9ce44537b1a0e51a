"""Split a vector in the middle."""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Half
from diffeo_bijectors.events import Shape
from diffeo_bijectors.split import Split

__all__ = ["HalfSplit"]


class HalfSplit(Split):
    """A vector of D entries: the first ``ceil(D / 2)`` are kept, the rest changed; with ``swap`` the other way round.

    Shapes: event ``(D,)`` with D >= 2. For images use ``channel`` or ``checkerboard``.

    >>> import torch, diffeo
    >>> kept, changed = diffeo.build("split", "half", shape=(5,)).part(torch.arange(5.0))
    >>> kept.tolist(), changed.tolist()
    ([0.0, 1.0, 2.0], [3.0, 4.0])
    """

    def __init__(self, config: Half, shape: Shape) -> None:
        (size,) = check_vector(shape)
        self.sizes = (size - size // 2, size // 2)
        self.swap = config.swap
        first, last = (self.sizes[0],), (self.sizes[1],)
        super().__init__(shape, *((last, first) if config.swap else (first, last)))

    def part(self, x: Float[Tensor, "*B D"]) -> tuple[Tensor, Tensor]:
        first, last = x.split(self.sizes, dim=-1)
        return (last, first) if self.swap else (first, last)

    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B D"]:
        return torch.cat([changed, kept] if self.swap else [kept, changed], dim=-1)

    def extra_repr(self) -> str:
        return "swap=True" if self.swap else ""


def check_vector(shape: Shape) -> Shape:
    """The shape, if it is that of a vector with at least two entries."""
    if len(shape) != 1:
        raise ValueError(
            f"expected a vector of shape (D,); got {tuple(shape)} (use channel or checkerboard, or put reshape before it)"
        )
    if shape[0] < 2:
        raise ValueError(f"expected a vector with at least 2 entries, one for each part; got {tuple(shape)}")
    return tuple(shape)
