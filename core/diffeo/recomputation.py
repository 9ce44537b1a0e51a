"""Trading time for memory: what a step of a flow computed is computed again on the way back instead of being stored."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from diffeo.batch_statistics import BatchStatistics

__all__ = ["call_step"]

Method = Callable[..., tuple[Tensor, Tensor]]
Mode = tuple[bool, bool, tuple[Tensor, ...]]


def call_step(
    method: Method, x: Tensor, context: Tensor | None, *, step: nn.Module, recompute: bool
) -> tuple[Tensor, Tensor]:
    """``method(x, context=context)``, a method of ``step``.

    With ``recompute`` (and gradients on) only x and the context are kept for the backward pass, which runs the method again
    with the same random numbers and recorded statistics: gradients are the same to the bit, and running statistics are
    updated once.
    """
    if not (recompute and torch.is_grad_enabled()):
        return method(x, context=context)
    norms = [part for part in step.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]  # pyright: ignore[reportPrivateUsage]
    modes = [(part, _mode(part)) for part in step.modules() if isinstance(part, BatchStatistics)]
    if not norms and not modes:
        return checkpoint(method, x, context=context, use_reentrant=False)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _as_before(norms, modes)

    return checkpoint(method, x, context=context, use_reentrant=False, context_fn=contexts)


@contextmanager
def _as_before(
    norms: list[nn.modules.batchnorm._BatchNorm],  # pyright: ignore[reportPrivateUsage]
    modes: list[tuple[BatchStatistics, Mode]],
) -> Generator[None]:
    """Put layers that record or replay statistics back into the mode of the first pass, whatever they are in now."""
    now = [(layer, _mode(layer)) for layer, _ in modes]
    try:
        _set(modes)
        with _statistics_left_alone(norms):
            yield
    finally:
        _set(now)


def _mode(layer: BatchStatistics) -> Mode:
    return layer.recording, layer.replaying, layer.recorded


def _set(modes: list[tuple[BatchStatistics, Mode]]) -> None:
    for layer, (recording, replaying, recorded) in modes:
        layer.recording, layer.replaying, layer.recorded = recording, replaying, recorded


@contextmanager
def _statistics_left_alone(norms: list[nn.modules.batchnorm._BatchNorm]) -> Generator[None]:  # pyright: ignore[reportPrivateUsage]
    """Let batch normalisation update copies of its averages.

    Untracked it would not update any, but it would not store them either, and both passes must store the same tensors.
    """
    kept = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    try:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer.clone())
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
