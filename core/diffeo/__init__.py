"""Normalizing flows composed of named parts. Importing this module does not import torch."""

import importlib
from typing import TYPE_CHECKING, Any

from diffeo_registry import BuildError, DiffeoError, PluginError, SpecError

if TYPE_CHECKING:
    from diffeo.augmenter import Augmenter
    from diffeo.bijector import Bijector
    from diffeo.building import build, make
    from diffeo.data_initialized import DataInitialized
    from diffeo.dataset import Dataset, Target
    from diffeo.distribution import Distribution
    from diffeo.evaluator import Evaluator
    from diffeo.network import Encoder, Network
    from diffeo.objective import Loss, Objective, Progress

__version__ = "0.1.0"

_HOME = {
    "Augmenter": "augmenter",
    "Bijector": "bijector",
    "DataInitialized": "data_initialized",
    "Dataset": "dataset",
    "Distribution": "distribution",
    "Encoder": "network",
    "Evaluator": "evaluator",
    "Loss": "objective",
    "Network": "network",
    "Objective": "objective",
    "Progress": "objective",
    "Target": "dataset",
    "build": "building",
    "make": "building",
}

__all__ = [
    "Augmenter",
    "Bijector",
    "BuildError",
    "DataInitialized",
    "Dataset",
    "DiffeoError",
    "Distribution",
    "Encoder",
    "Evaluator",
    "Loss",
    "Network",
    "Objective",
    "PluginError",
    "Progress",
    "SpecError",
    "Target",
    "build",
    "make",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'diffeo' has no attribute {name!r}")
    return getattr(importlib.import_module(f"diffeo.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
