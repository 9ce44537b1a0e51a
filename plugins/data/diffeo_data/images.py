"""Images as integers: padding, pooling and flips on uint8 tensors, and the base of the image data sets.

Dimensions: N examples, C channels, H height, W width, L classes. All preprocessing is integer work; scaling is a step
of a flow.
"""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from diffeo import Dataset
from diffeo_data.hashing import uniforms
from diffeo_data.splits import check_split
from diffeo_registry import DiffeoError

__all__ = [
    "Images",
    "InMemoryImages",
    "average_pool",
    "flip_some",
    "image_shapes",
    "one_hot",
    "pad_zeros",
    "pooled_side",
]

Shape = tuple[int, ...]


def pad_zeros(x: UInt8[Tensor, "N C H W"], pad: int) -> UInt8[Tensor, "N C H2 W2"]:
    """``pad`` rows and columns of zeros on each side."""
    return F.pad(x, (pad, pad, pad, pad))


def average_pool(x: UInt8[Tensor, "N C H W"], factor: int) -> UInt8[Tensor, "N C h w"]:
    """Means of ``factor`` by ``factor`` blocks, rounded to integers, halves up: floor((2 sum + f^2) / (2 f^2))."""
    if factor == 1:
        return x
    n, c, height, width = x.shape
    blocks = x.reshape(n, c, height // factor, factor, width // factor, factor)
    total = blocks.sum(dim=(3, 5), dtype=torch.int64)
    return ((2 * total + factor**2) // (2 * factor**2)).to(torch.uint8)


def flip_some(x: UInt8[Tensor, "N C H W"], chosen: Bool[Tensor, " N"]) -> UInt8[Tensor, "N C H W"]:
    """Left and right exchanged in the chosen examples."""
    return torch.where(chosen[:, None, None, None], x.flip(-1), x)


def one_hot(labels: Int64[Tensor, " N"], num_classes: int) -> Float32[Tensor, "N L"]:
    """A 1 at each label's place."""
    return F.one_hot(labels, num_classes).to(torch.float32)


def pooled_side(side: int, *, pad: int, pool: int) -> int:
    """The side of a square image after padding and pooling."""
    padded = side + 2 * pad
    if padded % pool:
        raise DiffeoError(f"expected pool to divide the padded side {padded} (that is {side} + 2 * {pad}); got {pool}")
    return padded // pool


def image_shapes(channels: int, side: int, *, num_classes: int, context: str | None) -> dict[str, Shape]:
    """What a batch of square images holds; ``num_classes`` 0 for images without labels."""
    shapes: dict[str, Shape] = {"x": (channels, side, side)}
    if num_classes:
        shapes["y"] = ()
    if context == "label":
        shapes["context"] = (num_classes,)
    return shapes


class Images(NamedTuple):
    """Examples of one file: images (N, C, H, W) in uint8 and labels (N,) in int64."""

    x: Tensor
    y: Tensor


class InMemoryImages(Dataset):
    """Labelled images that fit in memory, with a training and a test part; a subclass says where they come from.

    The validation split is taken from the training part. Flips concern training batches that come with seeds.
    """

    def __init__(self, shapes: Mapping[str, Shape], *, flip: float) -> None:
        super().__init__(shapes)
        self.flip = flip

    @abstractmethod
    def load(self) -> dict[str, Images]:
        """All splits, padded and pooled."""

    @cached_property
    def parts(self) -> dict[str, Images]:
        """``load()``, once."""
        return self.load()

    def prepare(self) -> None:
        _ = self.parts

    def size(self, split: str) -> int:
        return len(self.parts[check_split(split)].y)

    def batch(
        self, split: str, indices: Int64[Tensor, " N"], seeds: Int64[Tensor, " N"] | None = None
    ) -> dict[str, Tensor]:
        part = self.parts[check_split(split)]
        x, y = part.x[indices], part.y[indices]
        if split == "train" and seeds is not None and self.flip > 0:
            x = flip_some(x, uniforms(seeds, 1)[:, 0] < self.flip)
        batch = {"x": x, "y": y}
        if "context" in self.shapes:
            batch["context"] = one_hot(y, self.shapes["context"][0])
        return batch
