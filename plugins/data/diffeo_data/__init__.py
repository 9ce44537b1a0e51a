"""Data sets for diffeo. Importing this module does not import torch."""

import importlib
from typing import TYPE_CHECKING, Any

from diffeo_data.config import (
    Checkerboard,
    EightGaussians,
    FashionMnist,
    FashionMnistSmall,
    Pinwheel,
    Rings,
    TwoMoons,
    TwoSpirals,
)
from diffeo_data.errors import DataFileError, MissingDataError

if TYPE_CHECKING:
    from diffeo_data.fashion_mnist_small import FashionMnistSmallDataset
    from diffeo_data.torchvision_guard import load_torchvision
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
    "EightGaussiansDataset": "toys",
    "FashionMnistSmallDataset": "fashion_mnist_small",
    "PinwheelDataset": "toys",
    "RingsDataset": "toys",
    "TwoMoonsDataset": "toys",
    "TwoSpiralsDataset": "toys",
    "load_torchvision": "torchvision_guard",
}

__all__ = [
    "Checkerboard",
    "CheckerboardDataset",
    "DataFileError",
    "EightGaussians",
    "EightGaussiansDataset",
    "FashionMnist",
    "FashionMnistSmall",
    "FashionMnistSmallDataset",
    "MissingDataError",
    "Pinwheel",
    "PinwheelDataset",
    "Rings",
    "RingsDataset",
    "TwoMoons",
    "TwoMoonsDataset",
    "TwoSpirals",
    "TwoSpiralsDataset",
    "load_torchvision",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'diffeo_data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"diffeo_data.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
