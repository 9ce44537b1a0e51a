"""Combinators: steps made of steps, written once for bijectors and augmenters.

A combinator adds up what its parts return (log-dets and log-weights alike) and is exact if all of them are.
Dimensions: B batch, C first event dimension, S the remaining ones.
"""

from collections.abc import Mapping
from typing import cast

import attrs
from torch import Tensor, nn

from diffeo.augmenter import Augmenter
from diffeo.bijector import Bijector
from diffeo.capabilities import combined
from diffeo.config import Chain, Invert, Repeat
from diffeo.step_lists import (
    last_shape,
    make_steps,
    named_steps,
    require_invertible,
    run_back,
    run_steps,
    strip_steps,
    zeros,
)
from diffeo_registry import BuildError

__all__ = [
    "ChainBijector",
    "Composite",
    "InvertBijector",
    "RepeatBijector",
]

Shape = tuple[int, ...]


class Composite(Bijector):
    """Base of the combinators: ``augment`` is ``forward``; ``inverse`` exists where every part is exact.

    ``parts`` are the steps by the prefix of their parameters, data side first.
    """

    def __init__(
        self, parts: Mapping[str, Augmenter], shape: Shape, out_shape: Shape, context_shape: Shape | None
    ) -> None:
        super().__init__(shape, out_shape, context_shape)
        self._is_exact = all(part.is_exact for part in parts.values())
        self.capabilities = combined({prefix: part.capabilities for prefix, part in parts.items()})

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
        super().__init__(named_steps(steps), shape, last_shape(steps, shape), context_shape)
        self.steps = steps

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return run_steps(self.steps, x, zeros(x, len(self.in_shape)), context)

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        return run_back(self.steps, y, zeros(y, len(self.out_shape)), context)

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        return strip_steps(self.steps, y, context)


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
            out_shape = last_shape(steps, out_shape)
        parts = {
            prefix: step
            for iteration, steps in enumerate(iterations)
            for prefix, step in named_steps(cast(nn.ModuleList, steps), f"iterations.{iteration}.").items()
        }
        super().__init__(parts, shape, out_shape, context_shape)
        self.iterations = iterations

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = zeros(x, len(self.in_shape))
        for steps in self.iterations:
            x, total = run_steps(cast(nn.ModuleList, steps), x, total, context)
        return x, total

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._require_exact()
        total = zeros(y, len(self.out_shape))
        for steps in reversed(self.iterations):
            y, total = run_back(cast(nn.ModuleList, steps), y, total, context)
        return y, total

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        for steps in reversed(self.iterations):
            y = strip_steps(cast(nn.ModuleList, steps), y, context)
        return y


class InvertBijector(Composite):
    """Steps run backwards: forward is the inverse of the chain of ``steps``, and the other way round.

    Shapes: the steps must keep the shape or be known from their end, so they are built on ``shape`` and have to map it to
    itself. All of them must be bijectors.
    """

    def __init__(self, config: Invert, shape: Shape, context_shape: Shape | None = None) -> None:
        steps = make_steps(config.steps, shape, context_shape)
        super().__init__(named_steps(steps), shape, shape, context_shape)
        require_invertible(steps, tuple(shape), "invert")
        able = self.capabilities
        self.capabilities = attrs.evolve(able, domain=able.image, image=able.domain)
        self.steps = steps

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return run_back(self.steps, x, zeros(x, len(self.in_shape)), context)

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return run_steps(self.steps, y, zeros(y, len(self.in_shape)), context)
