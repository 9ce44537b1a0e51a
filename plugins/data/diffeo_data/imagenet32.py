"""ImageNet at 32 x 32 (Chrabaszcz, Loshchilov & Hutter 2017, arXiv:1707.08819) from the .npz files of its authors.

Read without unpickling anything; the version in pickled batches is refused.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffeo_data.colour import CHANNELS, SIDE, ColourImages, as_images, cache_folder
from diffeo_data.config import ImageNet32
from diffeo_data.errors import DataFileError, MissingDataError
from diffeo_data.images import Images

__all__ = ["ImageNet32Dataset"]

NUM_CLASSES = 1000
FILES = {"train": tuple(f"train_data_batch_{number}.npz" for number in range(1, 11)), "test": ("val_data.npz",)}


def _read(path: Path) -> Images:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            pixels, labels = arrays["data"], arrays["labels"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataFileError(
            f"{path}: expected a .npz file with the arrays 'data' and 'labels'; got one that cannot be read ({error})"
        ) from error
    _check(path, pixels, labels)
    return Images(as_images(pixels), torch.from_numpy(labels.astype(np.int64) - 1))


def _check(path: Path, pixels: NDArray[Any], labels: NDArray[Any]) -> None:
    size = CHANNELS * SIDE * SIDE
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != size:
        raise DataFileError(
            f"{path}: expected data of shape (N, {size}) in uint8; got {pixels.shape} in {pixels.dtype}"
        )
    if labels.shape != pixels.shape[:1] or labels.dtype.kind not in "iu":
        raise DataFileError(
            f"{path}: expected {len(pixels)} whole numbers as labels, one per image; got {labels.shape} in {labels.dtype}"
        )
    if len(labels) and not 1 <= int(labels.min()) <= int(labels.max()) <= NUM_CLASSES:
        raise DataFileError(
            f"{path}: expected labels in 1..{NUM_CLASSES}; got {int(labels.min())} to {int(labels.max())}"
        )


class ImageNet32Dataset(ColourImages):
    """1,281,167 training images and 50,000 validation images, delivered as ``test``, of 1,000 kinds; (3, 32, 32).

    Labels are one less than in the files, so that they count from 0. All images are kept in memory: 4 GB.
    """

    config: ImageNet32

    def __init__(self, config: ImageNet32, seed: int) -> None:
        super().__init__(config, seed, NUM_CLASSES)

    def read(self, part: str) -> Images:
        folder = cache_folder() / "imagenet32" if self.config.folder is None else Path(self.config.folder)
        paths = [folder / name for name in FILES[part]]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise MissingDataError(
                f"expected the files {', '.join(missing)} in {folder}; got none of that name. They are in the archives "
                "Imagenet32_train_npz.zip and Imagenet32_val_npz.zip of image-net.org; name their folder in `folder`"
            )
        images, labels = zip(*map(_read, paths), strict=True)
        return Images(torch.cat(images), torch.cat(labels))
