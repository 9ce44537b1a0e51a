"""Split at any channel, for parts of different size: the image on one side, what was appended on the other.

B any batch shape, C channels.
"""

from jaxtyping import Float
from torch import Tensor, cat

from diffeo_bijectors import Split
from diffeo_vflow.config import FirstChannels

__all__ = ["FirstChannelsSplit"]

Shape = tuple[int, ...]


class FirstChannelsSplit(Split):
    """The first ``count`` entries of the first event dimension are kept, the rest changed; with ``swap`` the other way round.

    Shapes: event ``(C, ...)`` of any rank with C > count; parts ``(count, ...)`` and ``(C - count, ...)``.

    Source: the affine step between the image and what was appended to it of Chen et al. 2020, arXiv:2002.09741, appendix B.

    >>> import diffeo
    >>> split = diffeo.build("split", {"first_channels": {"count": 3, "swap": True}}, shape=(4, 8, 8))
    >>> split.kept_shape, split.changed_shape
    ((1, 8, 8), (3, 8, 8))
    """

    def __init__(self, config: FirstChannels, shape: Shape) -> None:
        if not shape or shape[0] <= config.count:
            raise ValueError(f"expected more than {config.count} entries in the first dimension; got {tuple(shape)}")
        self.sizes = (config.count, shape[0] - config.count)
        self.dim = -len(shape)
        self.swap = config.swap
        first, rest = ((size, *shape[1:]) for size in self.sizes)
        super().__init__(shape, *((rest, first) if config.swap else (first, rest)))

    def part(self, x: Float[Tensor, "*B_event"]) -> tuple[Tensor, Tensor]:
        first, rest = x.split(self.sizes, dim=self.dim)
        return (rest, first) if self.swap else (first, rest)

    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B_event"]:
        return cat([changed, kept] if self.swap else [kept, changed], dim=self.dim)

    def extra_repr(self) -> str:
        return f"count={self.sizes[0]}" + (", swap=True" if self.swap else "")
