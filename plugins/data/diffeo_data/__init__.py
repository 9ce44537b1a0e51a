"""Data sets for diffeo. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_data.config import (
    Checkerboard,
    Cifar10,
    Csv,
    EightGaussians,
    FashionMnist,
    FashionMnistSmall,
    ImageFolder,
    ImageNet32,
    Npy,
    Pinwheel,
    Rings,
    TwoMoons,
    TwoSpirals,
)
from diffeo_data.errors import DataFileError, MissingDataError
from diffeo_registry import lazy_names

if TYPE_CHECKING:
    from diffeo_data.cifar10 import Cifar10Dataset
    from diffeo_data.csv_file import CsvDataset
    from diffeo_data.fashion_mnist import FashionMnistDataset
    from diffeo_data.fashion_mnist_small import FashionMnistSmallDataset
    from diffeo_data.image_folder import ImageFolderDataset
    from diffeo_data.imagenet32 import ImageNet32Dataset
    from diffeo_data.npy_file import NpyDataset
    from diffeo_data.torchvision_guard import guard_torchvision
    from diffeo_data.toys import (
        CheckerboardDataset,
        EightGaussiansDataset,
        PinwheelDataset,
        RingsDataset,
        TwoMoonsDataset,
        TwoSpiralsDataset,
    )

_HOME = {
    "CheckerboardDataset": "toys",
    "Cifar10Dataset": "cifar10",
    "CsvDataset": "csv_file",
    "EightGaussiansDataset": "toys",
    "FashionMnistDataset": "fashion_mnist",
    "FashionMnistSmallDataset": "fashion_mnist_small",
    "ImageFolderDataset": "image_folder",
    "ImageNet32Dataset": "imagenet32",
    "NpyDataset": "npy_file",
    "PinwheelDataset": "toys",
    "RingsDataset": "toys",
    "TwoMoonsDataset": "toys",
    "TwoSpiralsDataset": "toys",
    "guard_torchvision": "torchvision_guard",
}

__all__ = [
    "Checkerboard",
    "CheckerboardDataset",
    "Cifar10",
    "Cifar10Dataset",
    "Csv",
    "CsvDataset",
    "DataFileError",
    "EightGaussians",
    "EightGaussiansDataset",
    "FashionMnist",
    "FashionMnistDataset",
    "FashionMnistSmall",
    "FashionMnistSmallDataset",
    "ImageFolder",
    "ImageFolderDataset",
    "ImageNet32",
    "ImageNet32Dataset",
    "MissingDataError",
    "Npy",
    "NpyDataset",
    "Pinwheel",
    "PinwheelDataset",
    "Rings",
    "RingsDataset",
    "TwoMoons",
    "TwoMoonsDataset",
    "TwoSpirals",
    "TwoSpiralsDataset",
    "guard_torchvision",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
