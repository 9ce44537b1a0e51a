"""The columns of an image as two images, the first split of Flow++ (Ho et al. 2019, arXiv:1902.00275).

B any batch shape; C, H, W channels, height, width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors import Split
from diffeo_vflow.config import Column

__all__ = ["ColumnSplit"]

Shape = tuple[int, ...]


class ColumnSplit(Split):
    """The columns 0, 2, 4, ... are kept and 1, 3, 5, ... changed; with ``swap`` the other way round.

    Shapes: event ``(C, H, W)`` with W even; both parts are ``(C, H, W / 2)``.

    Source: the code of Ho et al. 2019, arXiv:1902.00275, and of Chen et al. 2020, arXiv:2002.09741. Both papers call it a
    checkerboard; the true one is the split ``checkerboard``.

    >>> import torch, diffeo
    >>> kept, changed = diffeo.build("split", "column", shape=(1, 1, 4)).part(torch.arange(4.0).reshape(1, 1, 4))
    >>> kept.flatten().tolist(), changed.flatten().tolist()
    ([0.0, 2.0], [1.0, 3.0])
    """

    def __init__(self, config: Column, shape: Shape) -> None:
        if len(shape) != 3 or shape[2] % 2:
            raise ValueError(f"expected an image of shape (C, H, W) with W even; got {tuple(shape)}")
        part_shape = (shape[0], shape[1], shape[2] // 2)
        super().__init__(shape, part_shape, part_shape)
        self.swap = config.swap

    def part(self, x: Float[Tensor, "*B C H W"]) -> tuple[Tensor, Tensor]:
        even, odd = x[..., 0::2], x[..., 1::2]
        return (odd, even) if self.swap else (even, odd)

    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B C H W"]:
        even, odd = (changed, kept) if self.swap else (kept, changed)
        return torch.stack([even, odd], dim=-1).flatten(-2)

    def extra_repr(self) -> str:
        return "swap=True" if self.swap else ""
