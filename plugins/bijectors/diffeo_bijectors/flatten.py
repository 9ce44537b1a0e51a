"""Flatten events and put two of them side by side."""

import math

import torch
from torch import Tensor

from diffeo_bijectors.events import Shape

__all__ = ["flatten_event", "join_context"]


def flatten_event(x: Tensor, shape: Shape) -> Tensor:
    """``(*B, *shape)`` to ``(*B, prod(shape))``; sizes are spelled out, for -1 fails on an empty batch."""
    return x.reshape(*x.shape[: x.dim() - len(shape)], math.prod(shape))


def join_context(x: Tensor, shape: Shape, context: Tensor | None, context_shape: Shape | None) -> Tensor:
    """x flattened, followed by the flattened context where there is one."""
    flat = flatten_event(x, shape)
    if context is None or context_shape is None:
        return flat
    return torch.cat([flat, flatten_event(context, context_shape)], dim=-1)
