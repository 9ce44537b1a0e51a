"""Fixtures that several files share."""

from typing import Any

import pytest
import torch

import diffeo
from diffeo.testing import randomize


@pytest.fixture
def make_flow() -> Any:
    """A function that builds a flow of steps in float64 at random parameters."""

    def make(steps: Any, shape: tuple[int, ...]) -> Any:
        torch.manual_seed(3)
        spec = {"flow": {"steps": steps, "base": "standard_normal"}}
        return randomize(diffeo.build("model", spec, shape=shape), seed=1, scale=0.3).double().eval()

    return make
