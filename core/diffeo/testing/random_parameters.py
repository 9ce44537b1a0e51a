"""Non-trivial parameters for a test: a fresh flow is the identity, where most laws hold by accident."""

from typing import TypeVar

import torch
from torch import nn

__all__ = ["randomize"]

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def randomize(module: Module, seed: int = 0, scale: float = 0.5) -> Module:
    """Add seeded normal noise to every parameter, the zero-initialised output layers included; returns the module.

    The standard deviation is ``scale``, for a matrix or a convolution ``scale / sqrt(fan in)``, so that a network keeps
    the size of what passes through it. The draw is made in float64 on the CPU: the same in every dtype and on every
    device.
    """
    for position, (_, parameter) in enumerate(module.named_parameters()):
        generator = torch.Generator().manual_seed(1_000_003 * seed + position)
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.add_((scale / fan_in**0.5 * noise).to(parameter))
    return module
