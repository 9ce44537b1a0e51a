"""The user's own image files, in subfolders by class or not."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from diffeo_data.config import ImageFolder
from diffeo_data.errors import DataFileError, MissingDataError
from diffeo_data.hashing import derive_key
from diffeo_data.images import ImageDataset, Images
from diffeo_data.splits import check_fractions, check_split, split_by_fraction
from diffeo_registry import DiffeoError

__all__ = ["ImageFolderDataset"]


def _image_files(path: Path) -> list[Path]:
    """The image files at any depth below ``path``, relative to it, sorted; hidden ones left out."""
    from diffeo_data.vision import IMG_EXTENSIONS

    if not path.is_dir():
        what = "a file" if path.exists() else "nothing there"
        raise MissingDataError(
            f"{path}: expected a folder of images; got {what} (relative paths start at {Path.cwd()})"
        )
    found = [
        file.relative_to(path) for file in path.rglob("*") if file.suffix.lower() in IMG_EXTENSIONS and file.is_file()
    ]
    files = sorted(file for file in found if not any(part.startswith(".") for part in file.parts))
    if not files:
        raise MissingDataError(f"{path}: expected image files ({', '.join(IMG_EXTENSIONS)}); got none at any depth")
    return files


def _class_names(path: Path, files: list[Path], num_classes: int) -> tuple[str, ...]:
    """The names of the first subfolders, sorted."""
    for file in files:
        if len(file.parts) == 1:
            raise DataFileError(
                f"{path / file}: expected every image in a subfolder named for its class; got it outside"
            )
    names = sorted({file.parts[0] for file in files})
    if len(names) != num_classes:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise DataFileError(f"{path}: expected {num_classes} class subfolders (num_classes); got {len(names)}: {shown}")
    return tuple(names)


def _read(file: Path) -> Image.Image:
    """The picture in red, green and blue."""
    with Image.open(file) as image:
        if image.mode.startswith(("I", "F")):  # convert() cuts these off at 255 instead of scaling them
            raise DataFileError(
                f"{file}: expected an image of 8 bits a channel; got one of mode {image.mode!r}: convert it"
            )
        return image.convert("RGB")


def _transform(size: int, *, grayscale: bool) -> Callable[..., Tensor]:
    """Short side to ``size``, the middle cut out, and pixels as uint8; all of it on 8-bit images."""
    from diffeo_data.vision import v2

    grey = [v2.Grayscale()] if grayscale else []
    return v2.Compose([*grey, v2.Resize(size), v2.CenterCrop(size), v2.PILToTensor()])


class ImageFolderDataset(ImageDataset):
    """Image files as (3, size, size), or (1, size, size) in greys.

    A file that is not a readable image is an error that names it: before training where the images are kept in memory,
    else when it is used.
    """

    def __init__(self, config: ImageFolder, seed: int) -> None:
        check_fractions(config.val, config.test)
        if config.context == "label" and not config.num_classes:
            raise DiffeoError("expected num_classes where the context is the label; got 0")
        channels = 1 if config.grayscale else 3
        super().__init__(
            channels,
            config.size,
            num_classes=config.num_classes,
            context=config.context,
            flip=config.flip,
            shift=config.shift,
        )
        self.config = config
        self.path = Path(config.path)
        self.seed = seed

    @cached_property
    def files(self) -> list[Path]:
        """All image files, relative to the folder."""
        return _image_files(self.path)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes in the order of their labels; none without labels."""
        return _class_names(self.path, self.files, self.config.num_classes) if self.config.num_classes else ()

    @cached_property
    def labels(self) -> Tensor | None:
        """The label of each file: the place of its subfolder among the class names."""
        place = {name: label for label, name in enumerate(self.class_names)}
        return torch.tensor([place[file.parts[0]] for file in self.files]) if place else None

    @cached_property
    def splits(self) -> Mapping[str, Tensor]:
        """The numbers of each split's files."""
        key = derive_key(self.seed, type(self).__name__)
        return split_by_fraction(key, len(self.files), val=self.config.val, test=self.config.test)

    @cached_property
    def pixels(self) -> UInt8[Tensor, "N C H W"]:
        """All images."""
        return self.decode(torch.arange(len(self.files)))

    def decode(self, numbers: Int64[Tensor, " N"]) -> UInt8[Tensor, "N C H W"]:
        """The images of these files, read from disk."""
        transform = _transform(self.config.size, grayscale=self.config.grayscale)
        images = torch.empty((len(numbers), *self.shapes["x"]), dtype=torch.uint8)
        for i, number in enumerate(numbers.tolist()):
            file = self.path / self.files[number]
            try:
                images[i] = transform(_read(file))
            except DataFileError:
                raise
            except (OSError, SyntaxError, ValueError) as error:  # what PIL raises for damaged files
                raise DataFileError(
                    f"{file}: expected an image; got a file that cannot be read as one ({error})"
                ) from error
        return images

    def prepare(self) -> None:
        _ = self.splits, self.labels
        if self.config.in_memory:
            _ = self.pixels

    def size(self, split: str) -> int:
        return len(self.splits[check_split(split)])

    def fetch(self, split: str, indices: Int64[Tensor, " N"]) -> Images:
        numbers = self.splits[split][indices]
        x = self.pixels[numbers] if self.config.in_memory else self.decode(numbers)
        return Images(x, None if self.labels is None else self.labels[numbers])
