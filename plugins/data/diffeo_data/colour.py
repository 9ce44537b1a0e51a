"""What the labelled colour image data sets share: 32 x 32 pixels in memory, validation taken from the training part."""

import os
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from numpy.typing import NDArray
from torch import Tensor

from diffeo_data.config import Cifar10, ImageNet32
from diffeo_data.hashing import derive_key
from diffeo_data.images import ImageDataset, Images
from diffeo_data.splits import check_split, split_by_count

__all__ = ["CHANNELS", "SIDE", "ColourImages", "as_images", "cache_folder"]

CHANNELS, SIDE = 3, 32


def cache_folder() -> Path:
    """Where downloaded data sets are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffeo"


def as_images(pixels: NDArray[np.uint8]) -> Tensor:
    """Rows of 3072 bytes, all reds first, then greens, then blues, as (N, 3, 32, 32)."""
    return torch.from_numpy(pixels).reshape(len(pixels), CHANNELS, SIDE, SIDE)


class ColourImages(ImageDataset):
    """A subclass reads the original training and test part; ``test`` keeps the order of its file."""

    def __init__(self, config: Cifar10 | ImageNet32, seed: int, num_classes: int) -> None:
        super().__init__(
            CHANNELS, SIDE, num_classes=num_classes, context=config.context, flip=config.flip, shift=config.shift
        )
        self.config = config
        self.seed = seed

    @abstractmethod
    def read(self, part: str) -> Images:
        """The original part, ``"train"`` or ``"test"``."""

    @cached_property
    def parts(self) -> Mapping[str, Images]:
        """The two original parts; read once."""
        return {"train": self.read("train"), "test": self.read("test")}

    @cached_property
    def rows(self) -> Mapping[str, Tensor]:
        """Which rows of the training part belong to which split. Images are not copied: ImageNet takes gigabytes."""
        key, size = derive_key(self.seed, type(self).__name__), len(self.parts["train"].x)
        return split_by_count(key, size, num_val=self.config.num_val, num_train=self.config.num_train)

    def prepare(self) -> None:
        _ = self.rows

    def size(self, split: str) -> int:
        return len(self.parts["test"].x) if check_split(split) == "test" else len(self.rows[split])

    def fetch(self, split: str, indices: Int64[Tensor, " N"]) -> Images:
        part = self.parts["test" if split == "test" else "train"]
        chosen = indices if split == "test" else self.rows[split][indices]
        return Images(part.x[chosen], None if part.y is None else part.y[chosen])
