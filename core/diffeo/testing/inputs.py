"""What goes into a component under test: a batch from each side, and a context."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from diffeo.bijector import Bijector

__all__ = ["DOMAINS", "Direction", "Inputs", "directions", "draw_inputs"]

Shape = tuple[int, ...]
Map = Callable[..., tuple[Tensor, Tensor]]


def _unit(normal: Tensor) -> Tensor:
    return 0.02 + 0.96 * torch.special.ndtr(normal)  # type: ignore[no-any-return]


DOMAINS: dict[str, Callable[[Tensor], Tensor]] = {
    "real": lambda normal: 1.5 * normal,
    "unit": _unit,
    "positive": lambda normal: 0.05 + 2 * normal.abs(),
    "integers": lambda normal: (20 * normal).round(),
}
"""Where inputs may lie: each turns standard normal numbers into points of the domain."""


class Inputs(NamedTuple):
    """A batch from the data side, a batch from the latent side and a context, with one leading batch dimension each."""

    x: Tensor
    y: Tensor
    context: Tensor | None

    def to(self, *, dtype: torch.dtype | None = None, device: str | None = None) -> "Inputs":
        """The same inputs in another dtype or on another device."""
        context = None if self.context is None else self.context.to(dtype=dtype, device=device)
        return Inputs(self.x.to(dtype=dtype, device=device), self.y.to(dtype=dtype, device=device), context)

    def first(self, rows: int) -> "Inputs":
        """The first rows."""
        return self.reshaped((rows,))

    def reshaped(self, batch: Shape) -> "Inputs":
        """The first rows under another batch shape."""
        return Inputs(
            _rows(self.x, batch), _rows(self.y, batch), None if self.context is None else _rows(self.context, batch)
        )


class Direction(NamedTuple):
    """One of the two ways through a bijector, with an input that was not made by the other."""

    name: str
    call: Map
    back: Map
    source: Tensor
    source_shape: Shape
    target_shape: Shape


def draw_inputs(
    shape: Shape,
    out_shape: Shape,
    context_shape: Shape | None = None,
    *,
    rows: int = 6,
    seed: int = 0,
    domain: str = "real",
    image: str = "real",
    dtype: torch.dtype = torch.float64,
) -> Inputs:
    """Inputs drawn from the data side's ``domain`` and the latent side's ``image``, the same for the same seed.

    >>> draw_inputs((3,), (3,), domain="unit").x.shape
    torch.Size([6, 3])
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(event: Shape) -> Tensor:
        return torch.randn(rows, *event, generator=generator, dtype=torch.float64)

    x, y = DOMAINS[domain](normal(shape)), DOMAINS[image](normal(out_shape))
    context = None if context_shape is None else normal(context_shape)
    return Inputs(x, y, context).to(dtype=dtype)


def directions(bijector: Bijector, inputs: Inputs) -> Iterator[Direction]:
    """Forward from x, and inverse from y where there is one."""
    shapes = bijector.in_shape, bijector.out_shape
    yield Direction("forward", bijector, bijector.inverse, inputs.x, *shapes)
    if bijector.capabilities.inverse != "none":
        yield Direction("inverse", bijector.inverse, bijector, inputs.y, *reversed(shapes))


def _rows(values: Tensor, batch: Shape) -> Tensor:
    count = torch.Size(batch).numel()
    return values[:count].reshape(*batch, *values.shape[1:])
