"""Files as users have them, made anew for each test, and every data set once."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffeo
from diffeo_data.conformance import CASES
from diffeo_registry import load_reference


def idx_bytes(array: np.ndarray) -> bytes:
    """The idx format: two zero bytes, 8 for unsigned bytes, the rank, big-endian sizes, the bytes themselves."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="session")
def fashion_files() -> Callable[..., dict[str, np.ndarray]]:
    """Write the four idx files of a tiny Fashion-MNIST; returns their arrays by name."""

    def write(folder: Path, *, num_train: int = 60, num_test: int = 20, zipped: bool = True) -> dict[str, np.ndarray]:
        random = np.random.default_rng(0)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {}
        for prefix, num in (("train", num_train), ("t10k", num_test)):
            arrays[f"{prefix}-images-idx3-ubyte"] = random.integers(0, 256, (num, 28, 28), dtype=np.uint8)
            arrays[f"{prefix}-labels-idx1-ubyte"] = random.integers(0, 10, num, dtype=np.uint8)
        for name, array in arrays.items():
            data = idx_bytes(array)
            path = folder / (f"{name}.gz" if zipped else name)
            path.write_bytes(gzip.compress(data) if zipped else data)
        return arrays

    return write


@pytest.fixture(scope="session")
def image_files() -> Callable[..., dict[str, np.ndarray]]:
    """Write PNG files of 12 x 10 pixels, ``per_class`` in each named subfolder; returns their pixels by relative path."""

    def write(folder: Path, classes: tuple[str, ...] = ("ants", "bees"), per_class: int = 20) -> dict[str, np.ndarray]:
        from PIL import Image

        random = np.random.default_rng(0)
        pixels = {}
        for name in classes:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for i in range(per_class):
                pixels[f"{name}/{i:02}.png"] = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels[f"{name}/{i:02}.png"]).save(folder / name / f"{i:02}.png")
        return pixels

    return write


@pytest.fixture(params=CASES, ids=lambda case: case.files.partition(":")[2] or case.name)
def make_dataset(request, tmp_path) -> Callable[[int], Any]:
    """Seed -> data set, for every case of the package, with flips and contexts where there are any."""
    case = request.param
    spec = load_reference(case.files)(tmp_path) if case.files else case.spec
    return lambda seed: diffeo.build("dataset", spec, seed=seed)
