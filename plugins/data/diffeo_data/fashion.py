"""What the two Fashion-MNIST data sets share: ten classes of 28 x 28 greys, padded, pooled and split."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from jaxtyping import Int64
from torch import Tensor

from diffeo_data.config import FashionMnist, FashionMnistSmall
from diffeo_data.hashing import derive_key
from diffeo_data.images import ImageDataset, Images, average_pool, pad_zeros
from diffeo_data.splits import check_split, split_by_count
from diffeo_registry import DiffeoError

__all__ = ["NUM_CLASSES", "SIDE", "FashionImages", "LabelledImages"]

SIDE = 28
CLASS_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
NUM_CLASSES = len(CLASS_NAMES)


class LabelledImages(NamedTuple):
    """Images (N, 1, H, W) in uint8 and labels (N,) in int64."""

    x: Tensor
    y: Tensor


def _pooled_side(pad: int, pool: int) -> int:
    padded = SIDE + 2 * pad
    if padded % pool:
        raise DiffeoError(f"expected pool to divide the padded side {padded} (that is {SIDE} + 2 * {pad}); got {pool}")
    return padded // pool


class FashionImages(ImageDataset):
    """Fashion-MNIST in memory; a subclass reads the original training and test part from wherever they are.

    ``val`` is taken from the training part by the seed, ``test`` keeps the order of its file.
    """

    class_names = CLASS_NAMES

    def __init__(self, config: FashionMnist | FashionMnistSmall, seed: int) -> None:
        side = _pooled_side(config.pad, config.pool)
        super().__init__(1, side, num_classes=NUM_CLASSES, context=config.context, flip=config.flip, shift=config.shift)
        self.config = config
        self.seed = seed

    @abstractmethod
    def read(self, part: str) -> LabelledImages:
        """The original part, ``"train"`` or ``"test"``, 28 x 28."""

    @cached_property
    def parts(self) -> Mapping[str, LabelledImages]:
        """All three splits, padded and pooled; read once."""
        train, test = self._preprocess(self.read("train")), self._preprocess(self.read("test"))
        key = derive_key(self.seed, type(self).__name__)
        rows = split_by_count(key, len(train.y), num_val=self.config.num_val, num_train=self.config.num_train)
        return {name: LabelledImages(train.x[index], train.y[index]) for name, index in rows.items()} | {"test": test}

    def _preprocess(self, part: LabelledImages) -> LabelledImages:
        return LabelledImages(average_pool(pad_zeros(part.x, self.config.pad), self.config.pool), part.y)

    def prepare(self) -> None:
        _ = self.parts

    def size(self, split: str) -> int:
        return len(self.parts[check_split(split)].y)

    def fetch(self, split: str, indices: Int64[Tensor, " N"]) -> Images:
        part = self.parts[split]
        return Images(part.x[indices], part.y[indices])
