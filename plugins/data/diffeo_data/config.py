"""The configs of the data sets: their fields are the keys in a spec. Free of torch and numpy."""

from pathlib import Path
from typing import Any

import attrs

from diffeo_registry import field

__all__ = [
    "Checkerboard",
    "Cifar10",
    "Csv",
    "EightGaussians",
    "FashionMnist",
    "FashionMnistSmall",
    "ImageFolder",
    "ImageNet32",
    "Npy",
    "Pinwheel",
    "Rings",
    "TwoMoons",
    "TwoSpirals",
]

SHIFT = "Pixels that a training image is moved by at most, up or down and left or right, each as often; the edge is repeated."


@attrs.frozen(kw_only=True)
class _Squares:
    """Fields of the Fashion-MNIST data sets."""

    pad: int = field(0, help="Rows and columns of zeros added on each side, before pooling; 2 makes 32 x 32.", ge=0)
    pool: int = field(
        1,
        help="Side of the blocks averaged into one pixel (rounded); 2 makes 14 x 14. Divides the padded side.",
        ge=1,
    )
    flip: float = field(0.0, help="Probability that a training image is mirrored left to right.", ge=0, le=1)
    shift: int = field(0, help=SHIFT, ge=0)
    context: str | None = field(
        None, help="What conditions the model: `label` (one-hot, 10 numbers) or nothing.", choices=("label",)
    )
    num_train: int | None = field(
        None, help="Train on that many images only, chosen by the seed; all by default.", ge=1
    )


@attrs.frozen(kw_only=True)
class FashionMnist(_Squares):
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothes in ten classes, 28 x 28 greys in 0..255."""

    folder: Path | None = field(
        None,
        help="Folder of the four idx files, gzipped or not; by default where Debian's dataset-fashion-mnist puts them.",
    )
    download: bool = field(
        False,
        help="Whether torchvision may download the files into `folder` (default: the user's cache) if there are none.",
    )
    num_val: int = field(10_000, help="Training images held out for validation, chosen by the seed.", ge=0)


@attrs.frozen(kw_only=True)
class FashionMnistSmall(_Squares):
    """5,000 training and 1,000 test images of Fashion-MNIST, 500 and 100 of each class; they come with the package."""

    num_val: int = field(500, help="Training images held out for validation, chosen by the seed.", ge=0)


@attrs.frozen(kw_only=True)
class _Colour:
    """Fields of the colour image data sets."""

    flip: float = field(0.0, help="Probability that a training image is mirrored left to right.", ge=0, le=1)
    shift: int = field(0, help=SHIFT, ge=0)
    context: str | None = field(
        None, help="What conditions the model: `label` (one-hot) or nothing.", choices=("label",)
    )
    num_train: int | None = field(
        None, help="Train on that many images only, chosen by the seed; all by default.", ge=1
    )


@attrs.frozen(kw_only=True)
class Cifar10(_Colour):
    """CIFAR-10: 50,000 training and 10,000 test images of ten kinds of things, 32 x 32 in colour, 0..255."""

    folder: Path | None = field(
        None, help="Folder of the six .bin files of the binary version; by default the user's cache."
    )
    download: bool = field(
        False, help="Whether torchvision may download the files into `folder` if there are none; 162 MB."
    )
    num_val: int = field(5_000, help="Training images held out for validation, chosen by the seed.", ge=0)


@attrs.frozen(kw_only=True)
class ImageNet32(_Colour):
    """ImageNet at 32 x 32: 1,281,167 training images; its 50,000 validation images are the test split."""

    folder: Path | None = field(
        None,
        help="Folder of train_data_batch_1.npz to train_data_batch_10.npz and val_data.npz; by default `imagenet32` in the "
        "user's cache.",
    )
    num_val: int = field(10_000, help="Training images held out for validation, chosen by the seed.", ge=0)


@attrs.frozen(kw_only=True)
class _Toy:
    """Fields of the endless data sets. Training examples are drawn afresh, held-out ones are fixed by the seed."""

    num_val: int = field(5_000, help="Validation points, drawn once; 5,000 give a mean to about 0.01 nats.", ge=0)
    num_test: int = field(10_000, help="Test points, drawn once.", ge=0)


@attrs.frozen(kw_only=True)
class Checkerboard(_Toy):
    """Uniform on 8 of the 16 squares of side 2 in [-4, 4]^2; log-density -log 32 = -3.4657 on the squares."""


@attrs.frozen(kw_only=True)
class TwoMoons(_Toy):
    """Two interleaved half circles."""

    noise: float = field(0.2, help="Standard deviation of the noise, in units of the data.", ge=0)


@attrs.frozen(kw_only=True)
class EightGaussians(_Toy):
    """Eight round Gaussians on a circle of radius 2.83; the exact log-density is known."""

    noise: float = field(0.3535533905932738, help="Standard deviation of each Gaussian; 0.5 / sqrt 2 by default.", gt=0)


@attrs.frozen(kw_only=True)
class Rings(_Toy):
    """Four circles of radius 0.75, 1.5, 2.25 and 3; the exact log-density is known."""

    noise: float = field(0.08, help="Standard deviation of the noise, in units of the data.", gt=0)


@attrs.frozen(kw_only=True)
class Pinwheel(_Toy):
    """Five curved arms."""

    noise: float = field(0.2, help="Standard deviation across an arm, in units of the data.", ge=0)


@attrs.frozen(kw_only=True)
class TwoSpirals(_Toy):
    """Two interleaved spirals of one and a half turns."""

    noise: float = field(0.1, help="Standard deviation of the noise, in units of the data.", ge=0)


def _held_out(purpose: str) -> Any:
    return field(0.1, help=f"Fraction of the examples held out for {purpose}, chosen by the seed.", ge=0, lt=1)


@attrs.frozen(kw_only=True)
class Csv:
    """A text file of numbers, one example a line. Values stay as they are: scaling is a step of the flow."""

    path: Path = field(help="The file, in UTF-8.")
    columns: tuple[str, ...] | None = field(
        None, help="Names of the columns that make up x; by default all that are neither context nor label."
    )
    context: tuple[str, ...] = field((), help="Names of the columns that condition the model.")
    label: str | None = field(None, help="Name of a column of class labels 0, 1, 2, ..., delivered as y.")
    header: bool | None = field(
        None,
        help="Whether the first line holds names; by default it does if none of its values is a number. "
        'Without names the columns are "1", "2", ...',
    )
    delimiter: str = field(",", help='The character between values; "\\t" for a tab.')
    dtype: str = field("float32", help="Precision in which values are delivered.", choices=("float32", "float64"))
    val: float = _held_out("validation")
    test: float = _held_out("the test")


@attrs.frozen(kw_only=True)
class Npy:
    """An array of shape (N, ...) in a .npy or .npz file. Values stay as they are: scaling is a step of the flow."""

    path: Path = field(help="The file.")
    x: str | None = field(None, help="Name of the array of examples in a .npz; not needed where it is the only one.")
    context: str | None = field(None, help="Name of an array (N, ...) in the .npz that conditions the model.")
    label: str | None = field(None, help="Name of an array (N,) of class labels 0, 1, 2, ..., delivered as y.")
    dtype: str = field(
        "float32",
        help="Type in which x is delivered; uint8 takes whole numbers in 0..255, as images have.",
        choices=("float32", "float64", "uint8"),
    )
    val: float = _held_out("validation")
    test: float = _held_out("the test")


@attrs.frozen(kw_only=True)
class ImageFolder:
    """Image files below a folder, in subfolders named for their classes if they have labels."""

    path: Path = field(help="The folder; files are found at any depth.")
    size: int = field(
        help="Side of the square images delivered: the short side is resized to it, the middle cut out.", ge=1
    )
    grayscale: bool = field(False, help="Whether to deliver one channel of greys instead of red, green and blue.")
    num_classes: int = field(
        0, help="Number of class subfolders, labelled in the order of their names; 0: no labels.", ge=0
    )
    context: str | None = field(
        None, help="What conditions the model: `label` (one-hot, num_classes numbers) or nothing.", choices=("label",)
    )
    flip: float = field(0.0, help="Probability that a training image is mirrored left to right.", ge=0, le=1)
    shift: int = field(0, help=SHIFT, ge=0)
    in_memory: bool = field(True, help="Whether all images are read once, before training, and kept; else at each use.")
    val: float = _held_out("validation")
    test: float = _held_out("the test")
