"""Trading time for memory: what a step of a flow computed is computed again on the way back instead of being stored."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

__all__ = ["call_step"]

Method = Callable[..., tuple[Tensor, Tensor]]


def call_step(
    method: Method, x: Tensor, context: Tensor | None, *, step: nn.Module, recompute: bool
) -> tuple[Tensor, Tensor]:
    """``method(x, context=context)``, a method of ``step``.

    With ``recompute`` (and gradients on) only x and the context are kept for the backward pass, which runs the method again
    with the same random numbers: gradients are the same to the bit, and running statistics are updated once.
    """
    if not (recompute and torch.is_grad_enabled()):
        return method(x, context=context)
    norms = [part for part in step.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]  # pyright: ignore[reportPrivateUsage]
    if not norms:
        return checkpoint(method, x, context=context, use_reentrant=False)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_left_alone(norms)

    return checkpoint(method, x, context=context, use_reentrant=False, context_fn=contexts)


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
