"""Files as users have them, made anew for each test, and every data set once."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffeo_data


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


CASES = (
    "fashion_mnist",
    "fashion_mnist_small",
    "checkerboard",
    "two_moons",
    "eight_gaussians",
    "rings",
    "pinwheel",
    "two_spirals",
    "csv",
    "npy",
    "image_folder",
    "image_folder_on_demand",
)


@pytest.fixture(params=CASES)
def make_dataset(request, tmp_path_factory, fashion_files, image_files) -> Callable[[int], Any]:
    """Seed -> data set, for every data set of the package, with flips and contexts where there are any."""
    folder = tmp_path_factory.mktemp(request.param)
    random = np.random.default_rng(1)
    match request.param:
        case "fashion_mnist":
            fashion_files(folder)
            config = diffeo_data.FashionMnist(folder=folder, pad=2, pool=2, flip=0.5, context="label", num_val=10)
        case "fashion_mnist_small":
            config = diffeo_data.FashionMnistSmall(pool=2, flip=0.5, context="label")
        case "csv":
            rows = random.normal(size=(40, 3))
            np.savetxt(folder / "rows.csv", rows, delimiter=",", header="a,b,c", comments="")
            config = diffeo_data.Csv(path=folder / "rows.csv", context=("b",))
        case "npy":
            np.savez(folder / "rows.npz", x=random.normal(size=(40, 2, 3)), c=random.normal(size=(40, 4)))
            config = diffeo_data.Npy(path=folder / "rows.npz", x="x", context="c")
        case "image_folder" | "image_folder_on_demand":
            image_files(folder)
            keep = request.param == "image_folder"
            config = diffeo_data.ImageFolder(
                path=folder, size=8, num_classes=2, context="label", flip=0.5, in_memory=keep
            )
        case name:
            config = getattr(diffeo_data, "".join(word.title() for word in name.split("_")))(num_val=50, num_test=70)
    implementation = getattr(diffeo_data, f"{type(config).__name__}Dataset")
    return lambda seed: implementation(config, seed)
