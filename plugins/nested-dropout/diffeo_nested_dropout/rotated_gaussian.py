"""The synthetic data of Bekasov & Murray 2020, arXiv:2006.08777, section 4.1.

N number of examples.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int64
from torch import Tensor

import diffeo
from diffeo_nested_dropout.config_data import RotatedGaussian

__all__ = ["RotatedGaussianDataset", "mixing_matrix"]

VARIANCES = (1.0, 0.1, 0.01)
ANGLE = math.pi / 4

SEEDS = {"train": 1, "val": 2, "test": 3}
"""Of the splits, whatever the run's seed is: initialisations are compared on the same examples."""


def rotation(axis: int) -> npt.NDArray[np.float64]:
    """A rotation by 45 degrees about one axis, counter-clockwise as seen from its end."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    result = np.eye(3)
    result[first, first] = result[second, second] = math.cos(ANGLE)
    result[first, second], result[second, first] = -math.sin(ANGLE), math.sin(ANGLE)
    return result


def mixing_matrix() -> npt.NDArray[np.float64]:
    """A = Rz Ry Rx diag(sqrt(1), sqrt(0.1), sqrt(0.01))."""
    return rotation(2) @ rotation(1) @ rotation(0) @ np.diag(np.sqrt(VARIANCES))


class RotatedGaussianDataset(diffeo.Dataset):
    """x = A e with e ~ N(0, I), so that x ~ N(0, A A'), in float32.

    The principal axes are the columns of a rotation, with variances 1, 0.1 and 0.01: what the first k of them leave out is a
    mean squared error per dimension of 0.11 / 3 for k = 1 and 0.01 / 3 for k = 2.

    The examples are those of NumPy's frozen ``RandomState``, with seed 1, 2 and 3 for train, val and test.

    >>> import torch, diffeo
    >>> data = diffeo.build("dataset", "rotated_gaussian", seed=0)
    >>> round(float(data.log_prob(data.batch("test", torch.arange(10_000))["x"]).mean()), 4)
    -0.7869
    """

    def __init__(self, config: RotatedGaussian, seed: int) -> None:
        super().__init__({"x": (3,)})
        self.num_examples = config.num_examples
        self.examples = {split: draw(number, config.num_examples) for split, number in SEEDS.items()}

    def size(self, split: str) -> int | None:
        return len(self._split(split))

    def batch(
        self, split: str, indices: Int64[Tensor, " N"], seeds: Int64[Tensor, " N"] | None = None
    ) -> dict[str, Tensor]:
        return {"x": self._split(split)[indices]}

    def log_prob(self, x: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B"]:
        """The exact log-density."""
        unmix = torch.linalg.inv(torch.tensor(mixing_matrix())).to(x)
        squares = (x @ unmix.mT).square().sum(-1)
        return -0.5 * (squares + 3 * math.log(2 * math.pi) + math.log(math.prod(VARIANCES)))

    def _split(self, split: str) -> Any:
        if split not in self.examples:
            raise ValueError(f"expected a split, one of {', '.join(self.examples)}; got {split!r}")
        return self.examples[split]


def draw(seed: int, count: int) -> Float[Tensor, "N 3"]:
    """The examples of a split."""
    noise = np.random.RandomState(seed).randn(3, count)
    return torch.tensor((mixing_matrix() @ noise).T, dtype=torch.float32)
