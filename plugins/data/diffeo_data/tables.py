"""Rows of the user's own: the base of the data sets that read a file of numbers.

Values are delivered as they are in the file. Standardising them is a step of the flow (``actnorm``, ``scale_shift``),
so that the likelihood is that of the user's data, in the user's units.
"""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from diffeo import Dataset
from diffeo_data.errors import MissingDataError
from diffeo_data.hashing import derive_key
from diffeo_data.splits import check_fractions, check_split, split_by_fraction

__all__ = ["DTYPES", "TableDataset", "existing_file", "first_not_finite"]

DTYPES = {"float32": torch.float32, "float64": torch.float64, "uint8": torch.uint8}


def existing_file(path: Path) -> Path:
    """The path, if a file is there."""
    file = Path(path)  # from Python it may be a string
    if not file.is_file():
        what = "a folder" if file.is_dir() else "nothing there"
        raise MissingDataError(f"{path}: expected a file; got {what} (relative paths start at {Path.cwd()})")
    return file


class TableDataset(Dataset):
    """Rows in memory, split into train, val and test by the seed; a subclass reads them."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], seed: int, *, val: float, test: float) -> None:
        check_fractions(val, test)
        super().__init__(shapes)
        self.seed = seed
        self.fractions = (val, test)

    @abstractmethod
    def read(self) -> dict[str, Tensor]:
        """All rows of the file: ``x``, and ``context`` and ``y`` where there are any."""

    @cached_property
    def rows(self) -> Mapping[str, Tensor]:
        """``read()``, once."""
        return self.read()

    @cached_property
    def splits(self) -> Mapping[str, Tensor]:
        """The row numbers of each split."""
        val, test = self.fractions
        return split_by_fraction(derive_key(self.seed, type(self).__name__), len(self.rows["x"]), val=val, test=test)

    def prepare(self) -> None:
        _ = self.splits

    def size(self, split: str) -> int:
        return len(self.splits[check_split(split)])

    def batch(
        self, split: str, indices: Int64[Tensor, " N"], seeds: Int64[Tensor, " N"] | None = None
    ) -> dict[str, Tensor]:
        rows = self.splits[check_split(split)][indices]
        return {name: values[rows] for name, values in self.rows.items()}


def first_not_finite(values: Tensor) -> tuple[int, ...] | None:
    """Index of the first entry that is NaN or infinite."""
    if not values.is_floating_point() or bool(torch.isfinite(values).all()):
        return None
    return tuple((~torch.isfinite(values)).nonzero()[0].tolist())
