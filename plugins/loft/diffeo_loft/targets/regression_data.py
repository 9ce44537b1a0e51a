"""What a regression explains, and by what: synthetic data, or columns of a file.

N examples, D covariates.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_data import Csv, CsvDataset, DataFileError
from diffeo_loft.config_targets import BayesianLasso, ConjugateLinearRegression, HorseshoeLogisticRegression
from diffeo_loft.targets import synthetic

__all__ = ["Examples", "linear_examples", "logistic_examples"]

Config = BayesianLasso | ConjugateLinearRegression | HorseshoeLogisticRegression
Synthetic = Callable[[int, int], tuple[synthetic.Array, synthetic.Array]]


class Examples(NamedTuple):
    """In float64."""

    x: Float[Tensor, "N D"]
    y: Float[Tensor, " N"]
    names: tuple[str, ...] = ()
    """Of the covariates; none of synthetic ones."""


def linear_examples(config: Config) -> Examples:
    """Covariates and responses; scaling takes both."""
    if config.path is None:
        return _synthetic(synthetic.linear, config)
    x, y, names = _read(config)
    return Examples(_scaled(x, config.scaling), _scaled(y[:, None], config.scaling)[:, 0], names)


def logistic_examples(config: Config) -> Examples:
    """Covariates and labels 0 or 1; scaling takes the covariates."""
    if config.path is None:
        return _synthetic(synthetic.logistic, config)
    x, y, names = _read(config)
    wrong = y[(y != 0) & (y != 1)]
    if len(wrong):
        raise DataFileError(
            f"{config.path}: expected labels 0 and 1 in column {config.label!r}; "
            f"got {float(wrong[0]):g} (and {len(wrong)} of {len(y)} are neither)"
        )
    return Examples(_scaled(x, config.scaling), y, names)


def _synthetic(draw: Synthetic, config: Config) -> Examples:
    x, y = draw(10 if config.dim is None else config.dim, config.fold)
    return Examples(torch.from_numpy(x), torch.from_numpy(y))


def _read(config: Config) -> Examples:
    assert config.path is not None
    assert config.label is not None
    columns = Csv(
        path=config.path,
        columns=config.columns,
        context=(config.label,),
        delimiter=config.delimiter,
        dtype="float64",
        val=0.0,
        test=0.0,
    )
    table = CsvDataset(columns, 0)
    rows = table.read()
    return Examples(rows["x"], rows["context"][:, 0], tuple(table.wanted[:-1]))


def _scaled(x: Tensor, scaling: str) -> Tensor:
    """Columns on a common scale; a column that never changes keeps its own."""
    if scaling == "none":
        return x
    values = x.numpy()
    if scaling == "standard":
        centre, spread = values.mean(0), values.std(0)
    else:
        low, centre, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
        spread = high - low
    return torch.from_numpy((values - centre) / np.where(spread > 0, spread, 1.0))
