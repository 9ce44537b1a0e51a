"""The protocol of a scale function: from a network's raw output to a log-scale."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Capabilities

__all__ = ["Scale"]


class Scale(nn.Module, ABC):
    """A scalar function ``log_scale = c(raw)``, applied entry by entry; ``affine`` multiplies by ``exp(log_scale)``.

    **What an author promises**

    * ``c(0) == 0``, so that a network whose outputs are zero gives the identity.
    * Continuous, with a finite gradient at every finite raw value; NaN stays NaN (so that a filter downstream sees it).
    * Shape, dtype and device are those of ``raw``.
    * The docstring states the range of ``c``: it bounds how much one layer stretches or shrinks.
    * An implementation is built as ``Implementation(config)``.
    """

    capabilities: Capabilities = Capabilities()

    @abstractmethod
    def forward(self, raw: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        """The log-scale for a raw network output."""
