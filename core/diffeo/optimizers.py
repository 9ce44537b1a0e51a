"""Optimizers: torch's own, built as ``make(config, parameters)``."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from diffeo.config import Adam, Adamax, AdamW, Sgd

__all__ = ["make_adam", "make_adamax", "make_adamw", "make_sgd"]

Parameters = Iterable[nn.Parameter]


def make_adam(config: Adam, parameters: Parameters) -> torch.optim.Optimizer:
    """Kingma & Ba 2015, arXiv:1412.6980, algorithm 1."""
    return torch.optim.Adam(parameters, **_adam_settings(config), fused=config.fused)


def make_adamw(config: AdamW, parameters: Parameters) -> torch.optim.Optimizer:
    """Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2."""
    return torch.optim.AdamW(parameters, **_adam_settings(config), fused=config.fused)


def make_adamax(config: Adamax, parameters: Parameters) -> torch.optim.Optimizer:
    """Kingma & Ba 2015, arXiv:1412.6980, algorithm 2."""
    return torch.optim.Adamax(parameters, **_adam_settings(config))


def make_sgd(config: Sgd, parameters: Parameters) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum."""
    return torch.optim.SGD(
        parameters,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=config.fused,
    )


def _adam_settings(config: Adam | AdamW | Adamax) -> dict[str, Any]:
    return {"lr": config.lr, "betas": config.betas, "eps": config.eps, "weight_decay": config.weight_decay}
