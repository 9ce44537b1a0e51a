"""Flows and targets that several files share."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import diffeo
from diffeo.testing import randomize


class Wave(diffeo.Target):
    """A normal density with waves in it: smooth, with a gradient that is not linear."""

    def log_prob(self, theta: Tensor) -> Tensor:
        return -0.5 * (theta - 1).square().sum(-1) + 0.3 * (2 * theta[..., 0] + theta[..., -1]).sin()


@pytest.fixture
def wave() -> Any:
    """A function that makes such a target of a dimension."""
    return lambda dim: Wave((dim,))


@pytest.fixture
def make_flow() -> Any:
    """A function that builds a flow in float64, at random parameters, steps listed from the base."""

    def make(
        steps: Sequence[Any], dim: int, *, base: Any = "student_t", start: str = "base", scale: float = 0.3
    ) -> Any:
        torch.manual_seed(3)
        spec = {"flow": {"steps": steps, "base": base, "start": start}}
        return randomize(diffeo.build("model", spec, shape=(dim,)), seed=1, scale=scale).double()

    return make
