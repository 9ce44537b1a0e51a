"""Flatten events, give them their shape back, and put two of them side by side. A vector is left as it is."""

import math

import torch
from torch import Tensor

from diffeo_bijectors.events import Shape

__all__ = ["flatten_event", "join_context", "unflatten_event"]


def flatten_event(x: Tensor, shape: Shape) -> Tensor:
    """``(*B, *shape)`` to ``(*B, prod(shape))``; sizes are spelled out, for -1 fails on an empty batch."""
    if len(shape) == 1:
        return x
    return x.reshape(*x.shape[: x.dim() - len(shape)], math.prod(shape))


def unflatten_event(x: Tensor, shape: Shape) -> Tensor:
    """``(*B, prod(shape))`` to ``(*B, *shape)``."""
    return x if len(shape) == 1 else x.reshape(*x.shape[:-1], *shape)


def join_context(x: Tensor, shape: Shape, context: Tensor | None, context_shape: Shape | None) -> Tensor:
    """x flattened, followed by the flattened context where there is one."""
    flat = flatten_event(x, shape)
    if context is None or context_shape is None:
        return flat
    return torch.cat([flat, flatten_event(context, context_shape)], dim=-1)
