"""The 5,000 + 1,000 images of Fashion-MNIST in the package (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747)."""

from importlib.resources import as_file, files

import torch
from torch import Tensor

from diffeo_data.fashion import NUM_CLASSES, SIDE, FashionImages, LabelledImages

__all__ = ["FashionMnistSmallDataset"]


def _tiles(sheet: Tensor) -> LabelledImages:
    """Images of a contact sheet (1, 10 * 28, n * 28), a row per class; number i is at row i mod 10, column i div 10."""
    columns = sheet.shape[2] // SIDE
    tiles = sheet.reshape(NUM_CLASSES, SIDE, columns, SIDE).permute(2, 0, 1, 3).reshape(-1, 1, SIDE, SIDE)
    return LabelledImages(tiles.contiguous(), torch.arange(NUM_CLASSES).repeat(columns))


class FashionMnistSmallDataset(FashionImages):
    """500 training and 100 test images of each of the ten classes, (1, 28, 28) before padding and pooling.

    They are the first of each class in the original files, classes taking turns: every ten neighbours of ``test`` show
    all ten classes.

    >>> from diffeo_data import FashionMnistSmall
    >>> data = FashionMnistSmallDataset(FashionMnistSmall(pool=2), seed=0)
    >>> data.shapes["x"], data.size("train"), data.size("val"), data.size("test")
    ((1, 14, 14), 4500, 500, 1000)
    """

    def read(self, part: str) -> LabelledImages:
        from diffeo_data.vision import default_loader, v2

        with as_file(files("diffeo_data") / "bundled" / "fashion_mnist_small" / f"{part}.png") as path:
            # The loader makes three equal channels of a grey one.
            return _tiles(v2.functional.pil_to_tensor(default_loader(str(path)))[:1])
