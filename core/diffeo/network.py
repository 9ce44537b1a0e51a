"""Conditioner networks and encoders: the free-form parts of a flow, and the only place where autocast applies."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from diffeo.capabilities import Capabilities

__all__ = ["Encoder", "Network"]

Shape = tuple[int, ...]


class Network(nn.Module, ABC):
    """A conditioner network: ``(*B, *in_shape)`` to ``(*B, *out_shape)``, any function of x and the context.

    Built as ``Implementation(config, in_shape, out_shape, context_shape)``; an author writes ``compute``. Where the trainer's
    precision is ``bfloat16``, ``compute`` alone runs under autocast and its result is cast back to the dtype of x: log-dets
    and everything a bijector does itself stay in the precision of the flow.

    ``output_layer`` is the last affine layer (``nn.Linear``, ``nn.Conv2d``, ...). Its bias and weight are zero after
    construction, so the network's output is 0 and a coupling built on it starts as the identity.
    """

    capabilities: Capabilities = Capabilities(context="all")
    """What it declares: a context moves every output unless a class or an instance says otherwise; batch statistics; ..."""
    autocast_dtype: torch.dtype | None = None
    output_layer: nn.Module

    def __init__(self, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__()
        self.in_shape = tuple(in_shape)
        self.out_shape = tuple(out_shape)
        self.context_shape = None if context_shape is None else tuple(context_shape)

    @abstractmethod
    def compute(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The network's output for x and, where ``context_shape`` is not None, a context with the same batch shape."""

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> Tensor:
        if self.context_shape is not None and context is None:
            raise ValueError(f"expected a context of shape (*B, {_inner(self.context_shape)}); got none")
        context = context if self.context_shape is not None else None
        if self.autocast_dtype is None:
            return self.compute(x, context).to(x.dtype)
        with torch.autocast(x.device.type, self.autocast_dtype):
            out = self.compute(x, context)
        return out.to(x.dtype)


class Encoder(nn.Module, ABC):
    """Turns a raw context ``(*B, *in_shape)`` into features ``(*B, *out_shape)``; built as ``Implementation(config, shape)``.

    A flow runs its encoder (field ``context_network``) once per call and hands the features to every step.
    """

    capabilities: Capabilities = Capabilities()

    def __init__(self, in_shape: Shape, out_shape: Shape) -> None:
        super().__init__()
        self.in_shape = tuple(in_shape)
        self.out_shape = tuple(out_shape)

    @abstractmethod
    def forward(self, context: Tensor) -> Tensor:
        """Features of the context."""


def _inner(shape: Shape) -> str:
    return ", ".join(map(str, shape))
