import torch

from diffeo import Dataset


class Dots(Dataset):
    """x = N(0, I). 100 normal points for training and 10 for each other split."""

    def __init__(self, config, seed):
        super().__init__({"x": (2,)})
        self.points = torch.randn(120, 2, generator=torch.Generator().manual_seed(seed))

    def size(self, split):
        return 100 if split == "train" else 10

    def start(self, split):
        return {"train": 0, "val": 100, "test": 110}[split]

    def batch(self, split, indices, seeds=None):
        return {"x": self.points[self.start(split) + indices]}


class Moody(Dots):
    def batch(self, split, indices, seeds=None):
        return {"x": super().batch(split, indices)["x"] + torch.rand(len(indices), 2)}


class Overlapping(Dots):
    def start(self, split):
        return 0


class Lies(Dots):
    def __init__(self, config, seed):
        super().__init__(config, seed)
        self.shapes = {"x": (3,)}
