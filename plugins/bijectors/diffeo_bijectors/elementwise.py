"""The protocol of an elementwise transform: a monotonic scalar map with its parameters from elsewhere.

S any shape, P number of parameters.
"""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Capabilities

__all__ = ["Elementwise"]


class Elementwise(nn.Module, ABC):
    """A strictly monotonic map of each entry by itself, whose parameters a conditioner network computes.

        forward(x, params) -> (y, log|dy/dx|)        inverse(y, params) -> (x, log|dx/dy|)

    Couplings and autoregressive layers take any transform of this kind.

    **What an author promises**

    * Shapes: x has any shape ``S``, ``()`` included; params are ``(num_params, *S)``, the parameter axis **first**, so that
      a softmax or a cumulative sum over it runs along whole planes of memory, and no event rank is needed. Results and
      log-derivatives have the shape of x; the caller sums over the event.
    * ``params == 0`` is the identity, because networks start with outputs of zero. A family that does not contain the
      identity says so in its docstring.
    * ``params`` are what a network returns: any finite real numbers, large ones included. Values, log-derivatives and
      gradients stay finite, also at and beyond the edge of an interval the map treats specially. NaN stays NaN.
    * The map is onto the whole real line; a family whose image is smaller says so in its docstring.
    * No branch on the values of a tensor and no boolean-mask scatter: clamp inside, then ``where``. Nothing is changed in
      place; dtype and device follow x. A module may hold trainable parameters of its own, though few do.
    * An implementation is built as ``Implementation(config)`` and calls ``super().__init__(num_params)``.
    """

    num_params: int
    capabilities: Capabilities = Capabilities(context="all")
    """What it declares; the parameters are its context."""

    def __init__(self, num_params: int) -> None:
        super().__init__()
        self.num_params = num_params

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        """Data side to latent side; returns (y, log|dy/dx|)."""

    @abstractmethod
    def inverse(
        self, y: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        """Latent side to data side; returns (x, log|dx/dy|)."""
