"""Small files as users have them: each function writes some into a folder and returns the spec that reads them."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "cifar10",
    "csv",
    "fashion_mnist",
    "image_folder",
    "image_folder_on_demand",
    "imagenet32",
    "npy",
    "npy_images",
]

Spec = dict[str, Any]


def fashion_mnist(folder: Path) -> Spec:
    """The four idx files of a tiny Fashion-MNIST."""
    random = np.random.default_rng(0)
    for prefix, number in (("train", 60), ("t10k", 20)):
        _write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", random.integers(0, 256, (number, 28, 28)))
        _write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", random.integers(0, 10, number))
    fields = {"folder": str(folder), "pad": 2, "pool": 2, "flip": 0.5, "shift": 1, "context": "label", "num_val": 10}
    return {"fashion_mnist": fields}


def cifar10(folder: Path) -> Spec:
    """The six binary files of a tiny CIFAR-10: a label and 3072 bytes for each example."""
    random = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        records = random.integers(0, 256, (10, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return {"cifar10": {"folder": str(folder), "flip": 0.5, "shift": 1, "context": "label", "num_val": 10}}


def imagenet32(folder: Path) -> Spec:
    """The eleven archives of a tiny ImageNet; labels count from 1."""
    random = np.random.default_rng(0)
    for name in (*(f"train_data_batch_{number}" for number in range(1, 11)), "val_data"):
        pixels = random.integers(0, 256, (5, 3072), dtype=np.uint8)
        np.savez(folder / f"{name}.npz", data=pixels, labels=random.integers(1, 1001, 5))
    return {"imagenet32": {"folder": str(folder), "flip": 0.5, "shift": 1, "num_val": 10}}


def csv(folder: Path) -> Spec:
    """A table of three named columns."""
    lines = ["a,b,c", *(",".join(f"{value:.6f}" for value in row) for row in _normal(40, 3))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return {"csv": {"path": str(folder / "rows.csv"), "context": ["b"]}}


def npy(folder: Path) -> Spec:
    """Two named arrays in one archive."""
    np.savez(folder / "rows.npz", x=_normal(40, 2, 3), c=_normal(40, 4))
    return {"npy": {"path": str(folder / "rows.npz"), "x": "x", "context": "c"}}


def npy_images(folder: Path) -> Spec:
    """Images of bytes in one array."""
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8))
    return {"npy": {"path": str(folder / "images.npy"), "dtype": "uint8"}}


def image_folder(folder: Path) -> Spec:
    """Forty pictures in two classes, read once."""
    return _image_folder(folder, in_memory=True)


def image_folder_on_demand(folder: Path) -> Spec:
    """The same, read at each use."""
    return _image_folder(folder, in_memory=False)


def _image_folder(folder: Path, *, in_memory: bool) -> Spec:
    from diffeo_data.vision import v2

    random = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (folder / name).mkdir()
        for number in range(20):
            pixels = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            v2.functional.to_pil_image(pixels).save(folder / name / f"{number:02}.png")
    fields = {"path": str(folder), "size": 8, "num_classes": 2, "context": "label", "flip": 0.5, "shift": 1}
    return {"image_folder": {**fields, "in_memory": in_memory}}


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape)


def _write_idx(path: Path, values: np.ndarray) -> None:
    """The idx format: two zero bytes, 8 for unsigned bytes, the rank, big-endian sizes, the bytes themselves."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))
