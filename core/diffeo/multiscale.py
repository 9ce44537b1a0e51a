"""Multi-scale combinators: part of the event is emitted early, the rest goes on; the latent is flat, deepest part first.

Dimensions: B batch, C first event dimension, S the remaining ones, N entries of the latent.
"""

import math
from typing import cast

import attrs
import torch
from torch import Tensor, nn

from diffeo.capabilities import Capabilities
from diffeo.combinators import Composite
from diffeo.config import FactorOut, Multiscale
from diffeo.step_lists import last_shape, make_steps, named_steps, run_back, run_steps, strip_steps, zeros
from diffeo_registry import BuildError

__all__ = ["FactorOutBijector", "MultiscaleBijector"]

Shape = tuple[int, ...]


class FactorOutBijector(Composite):
    """One half of the first event dimension goes on through ``steps``, the other is emitted; the result is flat.

        (a, b) = x split in halves along C;   y = (flatten(steps(kept)), flatten(emitted))

    Shapes: x (*B, C, *S) to y (*B, N), the deep part first. Of an odd C the kept half is the smaller one. ``keep: last``
    lets the second half go on. Log-weight: that of the steps.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6.
    """

    def __init__(self, config: FactorOut, shape: Shape, context_shape: Shape | None = None) -> None:
        kept, emitted = split_shapes(tuple(shape))
        steps = make_steps(config.steps, kept, context_shape)
        deep = last_shape(steps, kept)
        super().__init__(named_steps(steps), shape, (math.prod(deep) + math.prod(emitted),), context_shape)
        self.capabilities = partly(self.capabilities)
        self.keep, self.kept_shape, self.emitted_shape, self.deep_shape = config.keep, kept, emitted, deep
        self.steps = steps

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, emitted = split_halves(x, self.in_shape, self.keep)
        kept, total = run_steps(self.steps, kept, zeros(x, len(self.in_shape)), context)
        return torch.cat([flat(kept, self.deep_shape), flat(emitted, self.emitted_shape)], -1), total

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        deep, emitted = self._parts(y)
        kept, total = run_back(self.steps, deep, zeros(y, 1), context)
        return join_halves(kept, emitted, self.in_shape, self.keep), total

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        deep, emitted = self._parts(y)
        return join_halves(strip_steps(self.steps, deep, context), emitted, self.in_shape, self.keep)

    def _parts(self, y: Tensor) -> tuple[Tensor, Tensor]:
        size = math.prod(self.deep_shape)
        deep, emitted = y[..., :size], y[..., size:]
        return deep.reshape(*y.shape[:-1], *self.deep_shape), emitted.reshape(*y.shape[:-1], *self.emitted_shape)

    def extra_repr(self) -> str:
        return f"keep={self.keep}"


class MultiscaleBijector(Composite):
    """``levels`` times the same steps; after each level but the last, half of the first event dimension is factored out.

    Equal to steps, factor_out(steps, factor_out(...)): the latent is flat with the deepest level first,
    y = (level L, emitted L-1, ..., emitted 1), so that the first k latents are the coarsest ones.

    Shapes: x (*B, C, *S) to y (*B, N). Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6.
    """

    def __init__(self, config: Multiscale, shape: Shape, context_shape: Shape | None = None) -> None:
        levels, emitted_shapes, level_shapes = nn.ModuleList(), list[Shape](), list[Shape]()
        current = tuple(shape)
        for level in range(config.levels):
            try:
                steps = make_steps(config.steps, current, context_shape)
                current = last_shape(steps, current)
                level_shapes.append(current)
                if level < config.levels - 1:
                    current, emitted = split_shapes(current)
                    emitted_shapes.append(emitted)
            except BuildError as error:
                raise BuildError(f"{error.message} (level {level + 1} of {config.levels})", error.path) from None
            levels.append(steps)
        size = math.prod(current) + sum(math.prod(emitted) for emitted in emitted_shapes)
        parts = {
            prefix: step
            for level, steps in enumerate(levels)
            for prefix, step in named_steps(cast(nn.ModuleList, steps), f"levels.{level}.").items()
        }
        super().__init__(parts, shape, (size,), context_shape)
        self.capabilities = partly(self.capabilities)
        self.levels, self.keep = levels, config.keep
        self.level_shapes, self.emitted_shapes = level_shapes, emitted_shapes

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = zeros(x, len(self.in_shape))
        latents: list[Tensor] = []
        for level, steps in enumerate(self.levels):
            x, total = run_steps(cast(nn.ModuleList, steps), x, total, context)
            if level < len(self.emitted_shapes):
                x, emitted = split_halves(x, self.level_shapes[level], self.keep)
                latents.append(flat(emitted, self.emitted_shapes[level]))
        latents.append(flat(x, self.level_shapes[-1]))
        return torch.cat(latents[::-1], -1), total

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        x, rest = self._take(y, self.level_shapes[-1])
        x, total = run_back(self._steps(-1), x, zeros(y, 1), context)
        for level in reversed(range(len(self.emitted_shapes))):
            emitted, rest = self._take(rest, self.emitted_shapes[level])
            x = join_halves(x, emitted, self.level_shapes[level], self.keep)
            x, total = run_back(self._steps(level), x, total, context)
        return x, total

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        x, rest = self._take(y, self.level_shapes[-1])
        x = strip_steps(self._steps(-1), x, context)
        for level in reversed(range(len(self.emitted_shapes))):
            emitted, rest = self._take(rest, self.emitted_shapes[level])
            x = strip_steps(self._steps(level), join_halves(x, emitted, self.level_shapes[level], self.keep), context)
        return x

    def _steps(self, level: int) -> nn.ModuleList:
        return cast(nn.ModuleList, self.levels[level])

    @staticmethod
    def _take(y: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
        size = math.prod(shape)
        return y[..., :size].reshape(*y.shape[:-1], *shape), y[..., size:]

    def extra_repr(self) -> str:
        return f"keep={self.keep}"


def split_shapes(shape: Shape) -> tuple[Shape, Shape]:
    """Shapes of the kept and the emitted half; the kept one is the smaller of an odd size."""
    if not shape or shape[0] < 2:
        raise BuildError(
            f"expected at least 2 entries in the first event dimension to factor half of them out; got shape {shape}"
        )
    kept = shape[0] // 2
    return (kept, *shape[1:]), (shape[0] - kept, *shape[1:])


def split_halves(x: Tensor, shape: Shape, keep: str) -> tuple[Tensor, Tensor]:
    """(kept, emitted) along the first event dimension."""
    kept = shape[0] // 2
    sizes = [kept, shape[0] - kept] if keep == "first" else [shape[0] - kept, kept]
    first, last = x.split(sizes, -len(shape))
    return (first, last) if keep == "first" else (last, first)


def join_halves(kept: Tensor, emitted: Tensor, shape: Shape, keep: str) -> Tensor:
    """Undo ``split_halves``."""
    return torch.cat([kept, emitted] if keep == "first" else [emitted, kept], -len(shape))


def partly(capabilities: Capabilities) -> Capabilities:
    """The capabilities of steps that part of the event passes by: a context does not move that part."""
    return attrs.evolve(capabilities, context="some") if capabilities.context == "all" else capabilities


def flat(x: Tensor, shape: Shape) -> Tensor:
    """Event dimensions made one."""
    return x.reshape(*x.shape[: x.dim() - len(shape)], math.prod(shape))
