"""Images as integers: padding, pooling and flips on uint8 tensors, and the base of the image data sets.

Dimensions: N examples, C channels, H height, W width, L classes. All preprocessing is integer work; scaling is a step
of a flow.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from diffeo import Dataset
from diffeo_data.hashing import uniforms
from diffeo_data.splits import check_split
from diffeo_registry import DiffeoError

__all__ = ["ImageDataset", "Images", "average_pool", "flip_some", "one_hot", "pad_zeros", "shift_by"]

Shape = tuple[int, ...]


def pad_zeros(x: UInt8[Tensor, "N C H W"], pad: int) -> UInt8[Tensor, "N C H2 W2"]:
    """``pad`` rows and columns of zeros on each side."""
    return F.pad(x, (pad, pad, pad, pad))


def average_pool(x: UInt8[Tensor, "N C H W"], factor: int) -> UInt8[Tensor, "N C h w"]:
    """Means of ``factor`` by ``factor`` blocks, rounded to integers, halves up: floor((2 sum + f^2) / (2 f^2))."""
    if factor == 1:
        return x
    total = torch.zeros_like(x[..., ::factor, ::factor], dtype=torch.int32)
    for i in range(factor):
        for j in range(factor):  # strided views: three times as fast as one sum over a six-dimensional view
            total = total + x[..., i::factor, j::factor]
    return ((2 * total + factor**2) // (2 * factor**2)).to(torch.uint8)


def flip_some(x: UInt8[Tensor, "N C H W"], chosen: Bool[Tensor, " N"]) -> UInt8[Tensor, "N C H W"]:
    """Left and right exchanged in the chosen examples."""
    return torch.where(chosen[:, None, None, None], x.flip(-1), x)


def shift_by(
    x: UInt8[Tensor, "N C H W"], down: Int64[Tensor, " N"], right: Int64[Tensor, " N"]
) -> UInt8[Tensor, "N C H W"]:
    """Every example moved by its own number of rows and columns; the edge is repeated."""
    count, channels, height, width = x.shape
    rows = (torch.arange(height) - down[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width) - right[:, None]).clamp(0, width - 1)
    places = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    # One gather: a sixth of the time of indices in two dimensions, and strides like those of an image that is not moved.
    return x.flatten(2).gather(2, places[:, None].expand(count, channels, height * width)).reshape(x.shape)


def one_hot(labels: Int64[Tensor, " N"], num_classes: int) -> Float32[Tensor, "N L"]:
    """A 1 at each label's place."""
    return F.one_hot(labels, num_classes).to(torch.float32)


class Images(NamedTuple):
    """Images (N, C, H, W) in uint8 and their labels (N,) in int64, where they have any."""

    x: Tensor
    y: Tensor | None


class ImageDataset(Dataset):
    """Square images, optionally with labels; a subclass says how they are fetched.

    Every image of a training batch that comes with seeds is mirrored with probability ``flip`` and moved by up to ``shift``
    pixels in both directions; a label becomes a one-hot context where ``context`` is ``"label"``.
    """

    def __init__(
        self, channels: int, side: int, *, num_classes: int, context: str | None, flip: float, shift: int = 0
    ) -> None:
        if shift >= side:
            raise DiffeoError(f"expected a shift smaller than the side of the images, {side}; got {shift}")
        shapes: dict[str, Shape] = {"x": (channels, side, side)}
        if num_classes:
            shapes["y"] = ()
        if context == "label":
            shapes["context"] = (num_classes,)
        super().__init__(shapes)
        self.flip, self.shift = flip, shift

    @abstractmethod
    def fetch(self, split: str, indices: Int64[Tensor, " N"]) -> Images:
        """The images at ``indices``, as they are."""

    def batch(
        self, split: str, indices: Int64[Tensor, " N"], seeds: Int64[Tensor, " N"] | None = None
    ) -> dict[str, Tensor]:
        x, y = self.fetch(check_split(split), indices)
        if split == "train" and seeds is not None:
            x = self._augmented(x, seeds)
        batch = {"x": x}
        if y is not None:
            batch["y"] = y
            if "context" in self.shapes:
                batch["context"] = one_hot(y, self.shapes["context"][0])
        return batch

    def _augmented(self, x: UInt8[Tensor, "N C H W"], seeds: Int64[Tensor, " N"]) -> UInt8[Tensor, "N C H W"]:
        numbers = uniforms(seeds, 3)  # the first ones do not depend on how many there are
        if self.flip > 0:
            x = flip_some(x, numbers[:, 0] < self.flip)
        if self.shift > 0:
            moves = (numbers[:, 1:] * (2 * self.shift + 1)).floor().to(torch.int64) - self.shift
            x = shift_by(x, moves[:, 0], moves[:, 1])
        return x
