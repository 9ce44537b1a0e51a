"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747) from idx files on disk, or downloaded by
torchvision."""

import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from diffeo_data.config import FashionMnist
from diffeo_data.errors import DataFileError, MissingDataError
from diffeo_data.fashion import NUM_CLASSES, SIDE, FashionImages, LabelledImages

__all__ = ["FashionMnistDataset"]

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
PREFIXES = {"train": "train", "test": "t10k"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
TORCHVISION_SUBFOLDER = Path("FashionMNIST", "raw")


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffeo"


def _candidates(folder: Path | None) -> list[Path]:
    """Where to look, in this order."""
    if folder is not None:
        return [Path(folder), Path(folder) / TORCHVISION_SUBFOLDER]
    return [DEBIAN_FOLDER, _cache_folder() / TORCHVISION_SUBFOLDER]


def _file(folder: Path, name: str) -> Path | None:
    """The file of that name, gzipped or not."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _is_complete(folder: Path) -> bool:
    return all(_file(folder, f"{prefix}-{name}") for prefix in PREFIXES.values() for name in (IMAGES, LABELS))


def _download(root: Path) -> None:
    """Let torchvision fetch the files into a folder beside, then rename: whoever looks sees all files or none."""
    from diffeo_data.vision import FashionMNIST

    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as aside:
            FashionMNIST(aside, download=True)
            target = root / TORCHVISION_SUBFOLDER
            target.parent.mkdir(exist_ok=True)
            if not _is_complete(target):
                shutil.rmtree(target, ignore_errors=True)
                os.rename(Path(aside) / TORCHVISION_SUBFOLDER, target)
    except (OSError, RuntimeError) as error:
        if not _is_complete(root / TORCHVISION_SUBFOLDER):  # else another process was faster
            raise MissingDataError(f"Fashion-MNIST could not be downloaded into {root}: {error}") from error


def _find(folder: Path | None, *, download: bool) -> Path:
    candidates = _candidates(folder)
    for candidate in candidates:
        if _is_complete(candidate):
            return candidate
    if download:
        _download(_cache_folder() if folder is None else Path(folder))
        return candidates[1]
    names = ", ".join(f"{prefix}-{name}.gz" for prefix in PREFIXES.values() for name in (IMAGES, LABELS))
    raise MissingDataError(
        f"expected the Fashion-MNIST files {names} in {' or '.join(map(str, candidates))}; "
        "got none, or not all of them. "
        "Name their folder in `folder`, set `download: true`, install Debian's package dataset-fashion-mnist, "
        "or use fashion_mnist_small, which needs no files"
    )


def _read(path: Path, reader: Callable[[str], Tensor]) -> Tensor:
    """``reader`` of torchvision applied to an idx file; gzipped ones are unpacked into a temporary file first."""
    try:
        if path.suffix != ".gz":
            return reader(str(path))
        with tempfile.TemporaryDirectory() as aside:
            unpacked = Path(aside, path.stem)
            with gzip.open(path) as source, unpacked.open("wb") as target:
                shutil.copyfileobj(source, target)
            return reader(str(unpacked))
    except (OSError, EOFError, zlib.error, AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        what = str(error) or type(error).__name__
        raise DataFileError(
            f"{path}: expected a complete idx file of Fashion-MNIST; got one that cannot be read ({what})"
        ) from error


class FashionMnistDataset(FashionImages):
    """60,000 training and 10,000 test images of ten kinds of clothes, (1, 28, 28) before padding and pooling."""

    config: FashionMnist

    def read(self, part: str) -> LabelledImages:
        from diffeo_data.vision import read_image_file, read_label_file

        folder = _find(self.config.folder, download=self.config.download)
        images_path, labels_path = (_file(folder, f"{PREFIXES[part]}-{name}") for name in (IMAGES, LABELS))
        assert images_path is not None
        assert labels_path is not None
        images, labels = _read(images_path, read_image_file), _read(labels_path, read_label_file)
        if images.shape[1:] != (SIDE, SIDE):
            raise DataFileError(f"{images_path}: expected images of {SIDE} x {SIDE}; got {tuple(images.shape[1:])}")
        if len(labels) != len(images):
            raise DataFileError(f"{labels_path}: expected {len(images)} labels, one per image; got {len(labels)}")
        if len(labels) and int(labels.max()) >= NUM_CLASSES:
            raise DataFileError(f"{labels_path}: expected labels in 0..{NUM_CLASSES - 1}; got {int(labels.max())}")
        return LabelledImages(images[:, None], labels)
