"""Two-dimensional data sets without files: each example is a function of its seed (the math is in ``toy_math``)."""

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from diffeo import Dataset
from diffeo_data import toy_math
from diffeo_data.config import Checkerboard, EightGaussians, Pinwheel, Rings, TwoMoons, TwoSpirals
from diffeo_data.hashing import derive_key, example_keys, uniforms
from diffeo_data.splits import check_split

__all__ = [
    "CheckerboardDataset",
    "EightGaussiansDataset",
    "PinwheelDataset",
    "RingsDataset",
    "ToyDataset",
    "TwoMoonsDataset",
    "TwoSpiralsDataset",
]


class ToyDataset(Dataset):
    """Points of the plane in float32. ``train`` is endless; ``val`` and ``test`` are drawn once, from the seed.

    A training example follows from its own seed alone; without ``seeds``, from the data set's seed and its index.
    """

    num_uniforms: int
    """Uniform numbers one example needs."""

    def __init__(self, config: Any, seed: int) -> None:
        super().__init__({"x": (2,)})
        self.config = config
        self.seed = seed

    @abstractmethod
    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        """Points from uniform numbers."""

    def size(self, split: str) -> int | None:
        return {"train": None, "val": self.config.num_val, "test": self.config.num_test}[check_split(split)]

    def batch(
        self, split: str, indices: Int64[Tensor, " N"], seeds: Int64[Tensor, " N"] | None = None
    ) -> dict[str, Tensor]:
        size = self.size(split)
        if size is not None and ((indices < 0) | (indices >= size)).any():
            raise IndexError(f"expected indices of {split} in 0..{size - 1}; got {indices.tolist()}")
        if split != "train" or seeds is None:
            seeds = example_keys(derive_key(self.seed, type(self).__name__, split), indices)
        return {"x": self.points(uniforms(seeds, self.num_uniforms)).to(torch.float32)}


class CheckerboardDataset(ToyDataset):
    """Uniform on 8 of the 16 squares of side 2 in [-4, 4]^2: log p = -log 32 = -3.4657 on the squares.

    >>> data = CheckerboardDataset(Checkerboard(), seed=0)
    >>> data.log_prob(data.batch("test", torch.arange(3))["x"])
    tensor([-3.4657, -3.4657, -3.4657])
    """

    num_uniforms = 3
    config: Checkerboard

    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        return toy_math.checkerboard(u)

    def log_prob(self, x: Float[Tensor, "*B 2"]) -> Float[Tensor, "*B"]:
        """The exact log-density."""
        return toy_math.checkerboard_log_prob(x)


class TwoMoonsDataset(ToyDataset):
    """Two half circles of radius 2 with round noise."""

    num_uniforms = 4
    config: TwoMoons

    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        return toy_math.two_moons(u, self.config.noise)


class EightGaussiansDataset(ToyDataset):
    """Eight round Gaussians whose centres lie on a circle of radius 4 / sqrt 2."""

    num_uniforms = 3
    config: EightGaussians

    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        return toy_math.eight_gaussians(u, self.config.noise)

    def log_prob(self, x: Float[Tensor, "*B 2"]) -> Float[Tensor, "*B"]:
        """The exact log-density."""
        return toy_math.eight_gaussians_log_prob(x, self.config.noise)


class RingsDataset(ToyDataset):
    """Four circles with round noise."""

    num_uniforms = 4
    config: Rings

    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        return toy_math.rings(u, self.config.noise)

    def log_prob(self, x: Float[Tensor, "*B 2"]) -> Float[Tensor, "*B"]:
        """The exact log-density."""
        return toy_math.rings_log_prob(x, self.config.noise)


class PinwheelDataset(ToyDataset):
    """Five curved arms."""

    num_uniforms = 3
    config: Pinwheel

    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        return toy_math.pinwheel(u, self.config.noise)


class TwoSpiralsDataset(ToyDataset):
    """Two spirals of one and a half turns."""

    num_uniforms = 6
    config: TwoSpirals

    def points(self, u: Float64[Tensor, "N K"]) -> Float64[Tensor, "N 2"]:
        return toy_math.two_spirals(u, self.config.noise)
