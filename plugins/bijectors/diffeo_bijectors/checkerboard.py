"""Split an image like a chequerboard (Dinh et al. 2017, arXiv:1605.08803, figure 3).

C, H, W channels, height, width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Checkerboard
from diffeo_bijectors.events import Shape
from diffeo_bijectors.split import Split

__all__ = ["CheckerboardSplit"]


class CheckerboardSplit(Split):
    """Each 2x2 cell of an image gives its diagonal to one part and its antidiagonal to the other.

    With the cell ``[[p, q], [r, s]]``, kept is the image whose channels are all p, then all s, and changed the one of all
    q, then all r; with ``swap`` the other way round. Both parts have one pixel per cell, so pixel (i, j) of either lies
    in cell (i, j), and a convolution over the kept part sees the true neighbours of what it conditions.

    Shapes: event ``(C, H, W)`` with H and W even; both parts are ``(2 C, H / 2, W / 2)``.

    Source: Dinh, Sohl-Dickstein and Bengio 2017, arXiv:1605.08803, figure 3 (there a mask; the same pixels here).

    >>> import torch, diffeo
    >>> kept, changed = diffeo.build("split", "checkerboard", shape=(1, 2, 2)).part(torch.arange(4.0).reshape(1, 2, 2))
    >>> kept.flatten().tolist(), changed.flatten().tolist()
    ([0.0, 3.0], [1.0, 2.0])
    """

    def __init__(self, config: Checkerboard, shape: Shape) -> None:
        if len(shape) != 3 or shape[1] % 2 or shape[2] % 2:
            raise ValueError(f"expected an image of shape (C, H, W) with H and W even; got {tuple(shape)}")
        channels, height, width = shape
        part_shape = (2 * channels, height // 2, width // 2)
        super().__init__(shape, part_shape, part_shape)
        self.swap = config.swap

    def part(self, x: Float[Tensor, "*B C H W"]) -> tuple[Tensor, Tensor]:
        p, q = x[..., 0::2, 0::2], x[..., 0::2, 1::2]
        r, s = x[..., 1::2, 0::2], x[..., 1::2, 1::2]
        diagonal, antidiagonal = torch.cat([p, s], dim=-3), torch.cat([q, r], dim=-3)
        return (antidiagonal, diagonal) if self.swap else (diagonal, antidiagonal)

    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B C H W"]:
        diagonal, antidiagonal = (changed, kept) if self.swap else (kept, changed)
        (p, s), (q, r) = diagonal.chunk(2, dim=-3), antidiagonal.chunk(2, dim=-3)
        upper, lower = torch.stack([p, q], dim=-1).flatten(-2), torch.stack([r, s], dim=-1).flatten(-2)
        return torch.stack([upper, lower], dim=-2).flatten(-3, -2)

    def extra_repr(self) -> str:
        return "swap=True" if self.swap else ""
