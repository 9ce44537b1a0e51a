"""Write the images diffeo-data bundles: the first 500 (100) of each class of Fashion-MNIST's training (test) files.

    python scripts/make_fashion_mnist_small.py /usr/share/datasets/fashion-mnist

Each part becomes one greyscale PNG, a contact sheet with a row per class (label 0 on top) and the images of a class
from left to right in the order of the original file. PNG compresses these images as well as LZMA does, and anyone can
look at it.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

BUNDLED = Path(__file__).parents[1] / "diffeo_data" / "bundled" / "fashion_mnist_small"
PARTS = {"train": ("train", 500), "test": ("t10k", 100)}  # part -> (prefix of the original files, images per class)


def read_idx(path: Path, header: int) -> np.ndarray:
    """The bytes of a gzipped idx file after its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def contact_sheet(images: np.ndarray, labels: np.ndarray, per_class: int) -> np.ndarray:
    """(10 * 28, per_class * 28): row c holds the first ``per_class`` images of class c."""
    rows = [np.concatenate(images[np.flatnonzero(labels == c)[:per_class]], axis=1) for c in range(10)]
    return np.concatenate(rows, axis=0)


def main() -> None:
    """Write both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the four original idx.gz files")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where to write train.png and test.png")
    arguments = parser.parse_args()
    for part, (prefix, per_class) in PARTS.items():
        images = read_idx(arguments.folder / f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = read_idx(arguments.folder / f"{prefix}-labels-idx1-ubyte.gz", 8)
        path = arguments.out / f"{part}.png"
        Image.fromarray(contact_sheet(images, labels, per_class)).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
