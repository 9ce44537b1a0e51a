"""Combinators: steps made of steps, written once for bijectors and augmenters.

A combinator adds up what its parts return (log-dets and log-weights alike) and is exact if all of them are.
Dimensions: B batch, C first event dimension, S the remaining ones.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from diffeo.augmenter import Augmenter
from diffeo.bijector import Bijector
from diffeo.building import make
from diffeo.config import Chain, FactorOut, Invert, Multiscale, Repeat
from diffeo_registry import BuildError

__all__ = [
    "ChainBijector",
    "Composite",
    "FactorOutBijector",
    "InvertBijector",
    "MultiscaleBijector",
    "RepeatBijector",
    "make_steps",
]

Shape = tuple[int, ...]


def make_steps(configs: Sequence[Any], shape: Shape, context_shape: Shape | None) -> nn.ModuleList:
    """Build steps one after the other, each on the shape the one before it leaves."""
    steps = nn.ModuleList()
    for index, config in enumerate(configs):
        step = make(config, shape, context_shape, at=("steps", index))
        steps.append(step)
        shape = step.out_shape
    return steps


def _out_shape(steps: nn.ModuleList, shape: Shape) -> Shape:
    return cast(Augmenter, steps[-1]).out_shape if len(steps) else shape


def _zeros(x: Tensor, event_dims: int) -> Tensor:
    """Zero log-weights for a batch of events."""
    return x.new_zeros(x.shape[: x.dim() - event_dims])


def _run(steps: nn.ModuleList, x: Tensor, total: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    for step in steps:
        x, log_weight = cast(Augmenter, step).augment(x, context=context)
        total = total + log_weight
    return x, total


def _run_back(steps: nn.ModuleList, y: Tensor, total: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    for step in reversed(steps):
        y, log_det = cast(Bijector, step).inverse(y, context=context)
        total = total + log_det
    return y, total


def _strip(steps: nn.ModuleList, y: Tensor, context: Tensor | None) -> Tensor:
    for step in reversed(steps):
        y = cast(Augmenter, step).strip(y, context=context)
    return y


class Composite(Bijector):
    """Base of the combinators: ``augment`` is ``forward``; ``inverse`` exists where every part is exact."""

    def __init__(self, parts: Sequence[nn.Module], shape: Shape, out_shape: Shape, context_shape: Shape | None) -> None:
        super().__init__(shape, out_shape, context_shape)
        self._is_exact = all(cast(Augmenter, part).is_exact for part in parts)

    @property
    def is_exact(self) -> bool:
        return self._is_exact

    def _require_exact(self) -> None:
        if not self._is_exact:
            raise ValueError("expected bijectors only; got a chain with an augmenter, which has strip but no inverse")


class ChainBijector(Composite):
    """Steps one after the other: y = f_n(...f_1(x)), with the sum of their log-dets and log-weights.

    Shapes: x (*B, *in_shape) to y (*B, *out_shape), where out_shape is the last step's.

    >>> import diffeo
    >>> diffeo.build("bijector", {"chain": {"steps": []}}, shape=(3,)).out_shape
    (3,)
    """

    def __init__(self, config: Chain, shape: Shape, context_shape: Shape | None = None) -> None:
        steps = make_steps(config.steps, shape, context_shape)
        super().__init__(list(steps), shape, _out_shape(steps, shape), context_shape)
        self.steps = steps

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return _run(self.steps, x, _zeros(x, len(self.in_shape)), context)

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        return _run_back(self.steps, y, _zeros(y, len(self.out_shape)), context)

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        return _strip(self.steps, y, context)


class RepeatBijector(Composite):
    """The same steps ``times`` times in a row, with parameters of their own each time.

    Shapes: x (*B, *in_shape) to y (*B, *out_shape); steps that change the shape are built anew on what they left.
    """

    def __init__(self, config: Repeat, shape: Shape, context_shape: Shape | None = None) -> None:
        iterations = nn.ModuleList()
        out_shape = tuple(shape)
        for iteration in range(config.times):
            try:
                steps = make_steps(config.steps, out_shape, context_shape)
            except BuildError as error:
                raise BuildError(f"{error.message} (iteration {iteration + 1} of {config.times})", error.path) from None
            iterations.append(steps)
            out_shape = _out_shape(steps, out_shape)
        parts = [step for steps in iterations for step in cast(nn.ModuleList, steps)]
        super().__init__(parts, shape, out_shape, context_shape)
        self.iterations = iterations

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = _zeros(x, len(self.in_shape))
        for steps in self.iterations:
            x, total = _run(cast(nn.ModuleList, steps), x, total, context)
        return x, total

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        total = _zeros(y, len(self.out_shape))
        for steps in reversed(self.iterations):
            y, total = _run_back(cast(nn.ModuleList, steps), y, total, context)
        return y, total

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        for steps in reversed(self.iterations):
            y = _strip(cast(nn.ModuleList, steps), y, context)
        return y


class InvertBijector(Composite):
    """Steps run backwards: forward is the inverse of the chain of ``steps``, and the other way round.

    Shapes: the steps must keep the shape or be known from their end, so they are built on ``shape`` and have to map it to
    itself. All of them must be bijectors.
    """

    def __init__(self, config: Invert, shape: Shape, context_shape: Shape | None = None) -> None:
        steps = make_steps(config.steps, shape, context_shape)
        super().__init__(list(steps), shape, shape, context_shape)
        require_invertible(steps, tuple(shape), "invert")
        self.steps = steps

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return _run_back(self.steps, x, _zeros(x, len(self.in_shape)), context)

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return _run(self.steps, y, _zeros(y, len(self.in_shape)), context)


def require_invertible(steps: nn.ModuleList, shape: Shape, where: str) -> None:
    """Raise unless every step is exact and their chain maps ``shape`` to itself."""
    for index, step in enumerate(steps):
        if not cast(Augmenter, step).is_exact:
            raise BuildError(
                f"expected a bijector inside {where}; got an augmenter, which has no inverse", ("steps", index)
            )
    if _out_shape(steps, shape) != shape:
        raise BuildError(
            f"expected steps that keep the shape inside {where}; got {shape} to {_out_shape(steps, shape)}"
        )


class FactorOutBijector(Composite):
    """One half of the first event dimension goes on through ``steps``, the other is emitted; the result is flat.

        (a, b) = x split in halves along C;   y = (flatten(steps(kept)), flatten(emitted))

    Shapes: x (*B, C, *S) to y (*B, N), the deep part first. Of an odd C the kept half is the smaller one. ``keep: last``
    lets the second half go on. Log-weight: that of the steps.
    """

    def __init__(self, config: FactorOut, shape: Shape, context_shape: Shape | None = None) -> None:
        kept, emitted = split_shapes(tuple(shape))
        steps = make_steps(config.steps, kept, context_shape)
        deep = _out_shape(steps, kept)
        super().__init__(list(steps), shape, (math.prod(deep) + math.prod(emitted),), context_shape)
        self.keep, self.kept_shape, self.emitted_shape, self.deep_shape = config.keep, kept, emitted, deep
        self.steps = steps

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, emitted = split_halves(x, self.in_shape, self.keep)
        kept, total = _run(self.steps, kept, _zeros(x, len(self.in_shape)), context)
        return torch.cat([flat(kept, self.deep_shape), flat(emitted, self.emitted_shape)], -1), total

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        deep, emitted = self._parts(y)
        kept, total = _run_back(self.steps, deep, _zeros(y, 1), context)
        return join_halves(kept, emitted, self.in_shape, self.keep), total

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        deep, emitted = self._parts(y)
        return join_halves(_strip(self.steps, deep, context), emitted, self.in_shape, self.keep)

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
                current = _out_shape(steps, current)
                level_shapes.append(current)
                if level < config.levels - 1:
                    current, emitted = split_shapes(current)
                    emitted_shapes.append(emitted)
            except BuildError as error:
                raise BuildError(f"{error.message} (level {level + 1} of {config.levels})", error.path) from None
            levels.append(steps)
        size = math.prod(current) + sum(math.prod(emitted) for emitted in emitted_shapes)
        super().__init__(
            [step for steps in levels for step in cast(nn.ModuleList, steps)], shape, (size,), context_shape
        )
        self.levels, self.keep = levels, config.keep
        self.level_shapes, self.emitted_shapes = level_shapes, emitted_shapes

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = _zeros(x, len(self.in_shape))
        latents: list[Tensor] = []
        for level, steps in enumerate(self.levels):
            x, total = _run(cast(nn.ModuleList, steps), x, total, context)
            if level < len(self.emitted_shapes):
                x, emitted = split_halves(x, self.level_shapes[level], self.keep)
                latents.append(flat(emitted, self.emitted_shapes[level]))
        latents.append(flat(x, self.level_shapes[-1]))
        return torch.cat(latents[::-1], -1), total

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        x, rest = self._take(y, self.level_shapes[-1])
        x, total = _run_back(self._steps(-1), x, _zeros(y, 1), context)
        for level in reversed(range(len(self.emitted_shapes))):
            emitted, rest = self._take(rest, self.emitted_shapes[level])
            x = join_halves(x, emitted, self.level_shapes[level], self.keep)
            x, total = _run_back(self._steps(level), x, total, context)
        return x, total

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        x, rest = self._take(y, self.level_shapes[-1])
        x = _strip(self._steps(-1), x, context)
        for level in reversed(range(len(self.emitted_shapes))):
            emitted, rest = self._take(rest, self.emitted_shapes[level])
            x = _strip(self._steps(level), join_halves(x, emitted, self.level_shapes[level], self.keep), context)
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


def flat(x: Tensor, shape: Shape) -> Tensor:
    """Event dimensions made one."""
    return x.reshape(*x.shape[: x.dim() - len(shape)], math.prod(shape))
