"""Split the first event dimension (the channels of an image) in the middle."""

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_bijectors.config import Channel
from diffeo_bijectors.events import Shape
from diffeo_bijectors.split import Split

__all__ = ["ChannelSplit"]


class ChannelSplit(Split):
    """C channels: the first ``ceil(C / 2)`` are kept, the rest changed; with ``swap`` the other way round.

    Shapes: event ``(C, ...)`` of any rank >= 1 with C >= 2; on a vector it is the split ``half``.

    Source: the channel-wise mask of Dinh et al. 2017, arXiv:1605.08803, section 3.4.

    >>> import diffeo
    >>> split = diffeo.build("split", "channel", shape=(4, 8, 8))
    >>> split.kept_shape, split.changed_shape
    ((2, 8, 8), (2, 8, 8))
    """

    def __init__(self, config: Channel, shape: Shape) -> None:
        if not shape or shape[0] < 2:
            raise ValueError(
                f"expected at least 2 entries in the first dimension, one for each part; got {tuple(shape)} "
                "(for an image of one channel put squeeze before it, or use checkerboard)"
            )
        self.sizes = (shape[0] - shape[0] // 2, shape[0] // 2)
        self.dim = -len(shape)
        self.swap = config.swap
        first, last = ((size, *shape[1:]) for size in self.sizes)
        super().__init__(shape, *((last, first) if config.swap else (first, last)))

    def part(self, x: Float[Tensor, "*B_event"]) -> tuple[Tensor, Tensor]:
        first, last = x.split(self.sizes, dim=self.dim)
        return (last, first) if self.swap else (first, last)

    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B_event"]:
        return torch.cat([changed, kept] if self.swap else [kept, changed], dim=self.dim)

    def extra_repr(self) -> str:
        return "swap=True" if self.swap else ""
