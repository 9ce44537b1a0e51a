"""Which example belongs to which split: a function of the seed alone."""

from collections.abc import Mapping

import torch
from torch import Tensor

from diffeo_data.hashing import permutation
from diffeo_registry import DiffeoError

__all__ = ["SPLITS", "check_fractions", "check_split", "split_by_count", "split_by_fraction"]

SPLITS = ("train", "val", "test")


def check_split(split: str) -> str:
    """The name itself, if it is that of a split."""
    if split not in SPLITS:
        raise DiffeoError(f"expected a split named 'train', 'val' or 'test'; got {split!r}")
    return split


def check_fractions(val: float, test: float) -> None:
    """Refuse held-out fractions that leave nothing to train on."""
    if val + test >= 1:
        raise DiffeoError(f"expected val + test below 1, so that examples to train on are left; got {val:g} + {test:g}")


def split_by_count(key: int, size: int, *, num_val: int, num_train: int | None = None) -> Mapping[str, Tensor]:
    """Row numbers of ``train`` and ``val`` among ``size`` examples; ``num_train`` None takes all that are left."""
    if num_val >= size:
        raise DiffeoError(f"expected num_val below {size}, the number of training examples; got {num_val}")
    if num_train is not None and num_train > size - num_val:
        raise DiffeoError(
            f"expected num_train at most {size - num_val}, what num_val leaves of {size}; got {num_train}"
        )
    order = permutation(key, size)
    end = size if num_train is None else num_val + num_train
    return {"train": order[num_val:end], "val": order[:num_val]}


def split_by_fraction(key: int, size: int, *, val: float, test: float) -> Mapping[str, Tensor]:
    """Row numbers of the three splits; held-out counts are rounded to the nearest integer."""
    check_fractions(val, test)
    num_val, num_test = round(val * size), round(test * size)
    if num_val + num_test >= size:
        raise DiffeoError(
            f"expected examples to train on; got {size} in all, {num_val} for val and {num_test} for test"
        )
    test_rows, val_rows, train_rows = torch.split(
        permutation(key, size), [num_test, num_val, size - num_val - num_test]
    )
    return {"train": train_rows, "val": val_rows, "test": test_rows}
