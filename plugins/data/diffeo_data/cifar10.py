"""CIFAR-10 (Krizhevsky 2009) from its binary files on disk, or downloaded by torchvision.

The binary version, not the Python one, which is pickled.
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from diffeo_data.colour import CHANNELS, SIDE, ColourImages, as_images, cache_folder
from diffeo_data.config import Cifar10
from diffeo_data.errors import DataFileError, MissingDataError
from diffeo_data.images import Images

__all__ = ["Cifar10Dataset"]

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
SUBFOLDER = "cifar-10-batches-bin"
ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
RECORD = 1 + CHANNELS * SIDE * SIDE
"""Bytes of an example: its label, then the image."""


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for names in FILES.values() for name in names)


def _download(root: Path) -> None:
    """Let torchvision fetch the archive into a folder beside, then rename: whoever looks sees all files or none."""
    from diffeo_data.vision import download_and_extract_archive

    target = root / SUBFOLDER
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as aside:
            download_and_extract_archive(ARCHIVE, aside, md5=MD5)
            if not _is_complete(target):
                shutil.rmtree(target, ignore_errors=True)
                os.rename(Path(aside) / SUBFOLDER, target)
    except (OSError, RuntimeError) as error:
        if not _is_complete(target):  # else another process was faster
            raise MissingDataError(f"CIFAR-10 could not be downloaded into {root}: {error}") from error


def _find(folder: Path | None, *, download: bool) -> Path:
    root = cache_folder() if folder is None else Path(folder)
    candidates = [root, root / SUBFOLDER]
    for candidate in candidates:
        if _is_complete(candidate):
            return candidate
    if download:
        _download(root)
        return candidates[1]
    names = ", ".join(name for group in FILES.values() for name in group)
    raise MissingDataError(
        f"expected the files {names} of CIFAR-10's binary version in {' or '.join(map(str, candidates))}; got none, or not "
        "all of them. Name their folder in `folder`, or set `download: true`"
    )


def _read(path: Path) -> Images:
    size = path.stat().st_size
    if size == 0 or size % RECORD:
        raise DataFileError(f"{path}: expected examples of {RECORD} bytes each; got {size} bytes")
    records = np.fromfile(path, dtype=np.uint8).reshape(-1, RECORD)
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    if int(labels.max()) >= len(CLASS_NAMES):
        raise DataFileError(f"{path}: expected labels in 0..{len(CLASS_NAMES) - 1}; got {int(labels.max())}")
    return Images(as_images(records[:, 1:].copy()), labels)


class Cifar10Dataset(ColourImages):
    """50,000 training and 10,000 test images of ten kinds of things, (3, 32, 32)."""

    class_names = CLASS_NAMES
    config: Cifar10

    def __init__(self, config: Cifar10, seed: int) -> None:
        super().__init__(config, seed, len(CLASS_NAMES))

    def read(self, part: str) -> Images:
        folder = _find(self.config.folder, download=self.config.download)
        images, labels = zip(*(_read(folder / name) for name in FILES[part]), strict=True)
        return Images(torch.cat(images), torch.cat(labels))
