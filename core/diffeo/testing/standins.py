"""Stand-ins of a model, of data and of parameters, for objectives and optimizers that are tested without anybody's plugin."""

from typing import Any

import torch
from torch import Tensor, nn

from diffeo.building import build, make
from diffeo.dataset import Dataset, Target
from diffeo.testing.cases import Case
from diffeo_registry import Slot, installed, structure

__all__ = ["Points", "default_data", "default_model", "default_parameters"]


class Points(Dataset):
    """Normal points in the plane: 64 for training, 16 for each other split."""

    def __init__(self) -> None:
        super().__init__({"x": (2,)})

    def size(self, split: str) -> int:
        return 64 if split == "train" else 16

    def batch(self, split: str, indices: Tensor, seeds: Tensor | None = None) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(["train", "val", "test"].index(split))
        return {"x": torch.randn(self.size(split), 2, generator=generator)[indices]}


def default_data(case: Case) -> Dataset | Target:
    """The data of an objective's case."""
    if case.data is None:
        return Points()
    config = structure(case.data, Slot("dataset", "target"), registry=installed())
    return make(config, *((0,) if "dataset" in installed().of(config).kinds else ()))


def default_model(case: Case) -> Any:
    """The model of an objective's case, on the shapes of its data."""
    shapes = default_data(case).shapes
    spec = {"flow": {"base": "diagonal_normal"}} if case.model is None else case.model
    return build("model", spec, shape=shapes["x"], context_shape=shapes.get("context"))


def default_parameters() -> list[nn.Parameter]:
    """What an optimizer's case is built with: a matrix, a vector and a number, the same each time."""
    generator = torch.Generator().manual_seed(100)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 2), (2,), ())]
