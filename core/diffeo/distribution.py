"""The protocol of a distribution: bases, q(z|x), r(u|x); a flow is one too."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo.capabilities import Capabilities

__all__ = ["Distribution"]

Shape = tuple[int, ...]


class Distribution(nn.Module, ABC):
    """A distribution over events of a fixed shape, with or without a context.

    **What an author promises**

    * ``log_prob(x)`` of ``(*B, *event_shape)`` is ``*B``, in nats; ``context`` is ``(*B, *context_shape)``.
    * Draws have shape ``(*sample_shape, *B, *event_shape)`` where ``*B`` is the batch shape of the context, ``()`` without
      one. ``sample_and_log_prob`` is reparameterised: gradients flow through the draw.
    * ``temperature`` scales the spread about the location, ``location + temperature * deviation``.
    * Draws follow the dtype and device of the module (``self.like``), and rows of a batch do not see each other.
    * An implementation is built as ``Implementation(config, shape, context_shape)``.
    """

    event_shape: Shape
    context_shape: Shape | None
    capabilities: Capabilities = Capabilities()
    """What it declares: its support (``domain``), whether a context moves the density; a class or an instance replaces it."""
    like: Tensor

    def __init__(self, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__()
        self.event_shape = tuple(shape)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.register_buffer("like", torch.zeros(()), persistent=False)

    @property
    def is_exact(self) -> bool:
        """Whether ``log_prob`` is the density itself rather than a bound on it."""
        return True

    @abstractmethod
    def log_prob(self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None) -> Float[Tensor, "*B"]:
        """log p(x | context)."""

    @abstractmethod
    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draws of shape ``(*sample_shape, *B, *event_shape)``."""

    @abstractmethod
    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Reparameterised draws and their log-densities, in one pass."""

    def draw_shape(self, sample_shape: Shape, context: Tensor | None) -> Shape:
        """The shape of draws, ``(*sample_shape, *B, *event_shape)``."""
        if isinstance(sample_shape, int):
            raise ValueError(f"expected sample_shape as a tuple, such as ({sample_shape},); got {sample_shape}")
        return (*sample_shape, *self.batch_shape(context), *self.event_shape)

    def batch_shape(self, context: Tensor | None) -> Shape:
        """The batch shape of a context; ``()`` without one."""
        if context is None or self.context_shape is None:
            return ()
        return tuple(context.shape[: context.dim() - len(self.context_shape)])
