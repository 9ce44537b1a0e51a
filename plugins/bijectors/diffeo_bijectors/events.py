"""What every bijector asks about shapes: the batch shape of an input, the shape of one value per channel."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = [
    "Shape",
    "batch_shape",
    "constant_log_det",
    "full_precision",
    "per_channel",
    "positions",
    "require_dimension",
    "require_image",
    "require_vector",
    "sum_event",
    "zero_log_det",
]

Shape = tuple[int, ...]


def batch_shape(x: Tensor, shape: Shape) -> Shape:
    """The leading shape ``*B`` of x, whose last dimensions must be ``shape``.

    >>> batch_shape(torch.zeros(5, 4, 3), (3,))
    (5, 4)
    """
    rank = x.dim() - len(shape)
    if rank < 0 or tuple(x.shape[rank:]) != shape:
        raise ValueError(f"expected an input of shape {show(shape)}; got {tuple(x.shape)}")
    return tuple(x.shape[:rank])


def show(shape: Shape) -> str:
    """``(3, 4)`` -> ``"(*B, 3, 4)"``."""
    return f"({', '.join(['*B', *map(str, shape)])})"


def constant_log_det(value: Tensor, x: Tensor, shape: Shape) -> Tensor:
    """A log-det that is the same for every row of x, as a ``*B`` tensor."""
    return value.expand(batch_shape(x, shape))


def zero_log_det(x: Tensor, shape: Shape) -> Tensor:
    """The log-det of a map that preserves volume, in at least float32."""
    return x.new_zeros(batch_shape(x, shape), dtype=torch.promote_types(x.dtype, torch.float32))


def sum_event(values: Tensor, shape: Shape) -> Tensor:
    """Sum over the event dimensions, accumulated in at least float32; what is left is ``*B``."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    return values.sum(tuple(range(-len(shape), 0)), dtype=dtype) if shape else values.to(dtype)


def per_channel(shape: Shape) -> Shape:
    """The shape of one value per entry of the first event dimension: ``(C, H, W)`` -> ``(C, 1, 1)``."""
    return (*shape[:1], *(1 for _ in shape[1:]))


def positions(shape: Shape) -> int:
    """How many entries of an event share the value of a channel: H W for an image, 1 for a vector."""
    return math.prod(shape[1:])


def require_vector(shape: Sequence[int]) -> None:
    """Refuse an event shape that isn't ``(D,)``."""
    if len(shape) != 1:
        raise ValueError(f"expected a vector of shape (D,); got {tuple(shape)} (put reshape before it)")


def require_image(shape: Sequence[int]) -> None:
    """Refuse an event shape that isn't ``(C, H, W)``."""
    if len(shape) != 3:
        raise ValueError(f"expected an image of shape (C, H, W); got {tuple(shape)}")


def require_dimension(shape: Sequence[int]) -> None:
    """Refuse a scalar event."""
    if not shape:
        raise ValueError("expected an event with at least one dimension; got shape ()")


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Switches an outer autocast off, so that matrix products and solves keep the precision of the flow."""
    return nullcontext() if x.device.type == "meta" else torch.autocast(x.device.type, enabled=False)
