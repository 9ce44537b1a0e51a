"""The noise of a training step. Whoever draws it here can be trained with many seeds at once (``diffeo train --seeds``).

A step of many models computes them as one. Its noise is then drawn beforehand, for every seed from that seed's own generator, and
handed to the step; what a component asks for is the same either way.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor

__all__ = ["Draw", "given_noise", "normal_noise", "recorded_draws", "uniform_noise"]

Shape = tuple[int, ...]


class Draw(NamedTuple):
    """What was asked for: numbers of a distribution, in a shape."""

    distribution: Literal["uniform", "normal"]
    shape: Shape

    def take(self, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Such numbers, in the dtype and on the device of ``like``."""
        draw = torch.rand if self.distribution == "uniform" else torch.randn
        return draw(self.shape, generator=generator, dtype=like.dtype, device=like.device)


_source: Iterator[Tensor] | None = None
_record: list[Draw] | None = None


def uniform_noise(shape: Sequence[int], like: Tensor) -> Tensor:
    """Numbers in [0, 1) of this shape, in the dtype and on the device of ``like``."""
    return _noise(Draw("uniform", tuple(shape)), like)


def normal_noise(shape: Sequence[int], like: Tensor) -> Tensor:
    """Standard normal numbers of this shape, in the dtype and on the device of ``like``."""
    return _noise(Draw("normal", tuple(shape)), like)


@contextmanager
def recorded_draws() -> Generator[list[Draw]]:
    """Collect what is asked for in a block, in order."""
    global _record
    before, _record = _record, []
    try:
        yield _record
    finally:
        _record = before


@contextmanager
def given_noise(noise: Sequence[Tensor]) -> Generator[None]:
    """Answer what is asked for in a block with these numbers, in order; one that does not fit is a ``RuntimeError``."""
    global _source
    before, _source = _source, iter(noise)
    try:
        yield
    finally:
        _source = before


def _noise(draw: Draw, like: Tensor) -> Tensor:
    if _record is not None:
        _record.append(draw)
    if _source is None:
        return draw.take(like)
    given = next(_source, None)
    if given is None or tuple(given.shape) != draw.shape or given.dtype != like.dtype:
        raise RuntimeError("the randomness of this step is not that of the first one")
    return given
