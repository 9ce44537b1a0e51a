"""The 5,000 + 1,000 images of Fashion-MNIST in the package (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747)."""

from importlib.resources import as_file, files

import torch
from torch import Tensor

from diffeo_data.config import FashionMnistSmall
from diffeo_data.hashing import derive_key
from diffeo_data.images import Images, InMemoryImages, average_pool, image_shapes, pad_zeros, pooled_side
from diffeo_data.splits import split_by_count
from diffeo_data.torchvision_guard import load_torchvision

__all__ = ["FashionMnistSmallDataset"]

SIDE, NUM_CLASSES = 28, 10


def _tiles(sheet: Tensor) -> Images:
    """Images of a sheet (1, 10 * 28, n * 28), a row per class; example i is at row i mod 10, column i div 10."""
    columns = sheet.shape[2] // SIDE
    tiles = sheet.reshape(NUM_CLASSES, SIDE, columns, SIDE).permute(2, 0, 1, 3).reshape(-1, 1, SIDE, SIDE)
    return Images(tiles.contiguous(), torch.arange(NUM_CLASSES).repeat(columns))


def _read(part: str) -> Images:
    loader = load_torchvision("torchvision.datasets.folder").default_loader
    to_tensor = load_torchvision("torchvision.transforms.functional").pil_to_tensor
    with as_file(files("diffeo_data") / "bundled" / "fashion_mnist_small" / f"{part}.png") as path:
        return _tiles(to_tensor(loader(path))[:1])


class FashionMnistSmallDataset(InMemoryImages):
    """500 training and 100 test images of each of the ten classes, (1, 28, 28) before padding and pooling.

    The images are the first of each class in the original files, classes taking turns: any 10 neighbours in ``test``
    show every class once. ``val`` is taken from the 5,000 by the seed.
    """

    def __init__(self, config: FashionMnistSmall, seed: int) -> None:
        side = pooled_side(SIDE, pad=config.pad, pool=config.pool)
        super().__init__(image_shapes(1, side, num_classes=NUM_CLASSES, context=config.context), flip=config.flip)
        self.config = config
        self.seed = seed

    def load(self) -> dict[str, Images]:
        train, test = (
            Images(average_pool(pad_zeros(part.x, self.config.pad), self.config.pool), part.y)
            for part in (_read("train"), _read("test"))
        )
        rows = split_by_count(
            derive_key(self.seed, "fashion_mnist_small"),
            len(train.y),
            num_val=self.config.num_val,
            num_train=self.config.num_train,
        )
        return {name: Images(train.x[index], train.y[index]) for name, index in rows.items()} | {"test": test}
