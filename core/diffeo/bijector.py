"""The protocol of a differentiable map with a differentiable inverse: an augmenter without noise."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from diffeo.augmenter import Augmenter

__all__ = ["Bijector"]


class Bijector(Augmenter):
    """An invertible map between events, from the data side to the latent side.

        forward(x) -> (y, log|det dy/dx|)        inverse(y) -> (x, log|det dx/dy|)

    Each log-determinant belongs to the map just applied, so at matching points one is minus the other.

    **What an author promises**

    * Shapes: x is ``(*B, *in_shape)``, y is ``(*B, *out_shape)`` with as many entries, the log-det ``*B``, in nats, where
      ``*B`` is any batch shape, the empty batch included. Reductions run over the event dimensions only.
    * ``inverse(forward(x)[0])[0]`` equals x to rounding, and the other way round, over the whole domain.
    * ``context`` is ``(*B, *context_shape)`` with the same ``*B`` as x, or None where ``context_shape`` is None. A bijector
      that has no use for a context ignores it.
    * No branch on the values of a tensor and no boolean-mask scatter (clamp inside, then ``where``): that is what makes
      ``torch.compile``, ``vmap`` and empty batches work. Nothing is changed in place; dtype and device follow the input;
      rows of a batch do not see each other.
    * Buffers are persistent only if they cannot be computed from config and shape.
    * An implementation is built as ``Implementation(config, shape, context_shape)``, calls
      ``super().__init__(shape, out_shape, context_shape)`` and raises ``ValueError`` ("expected ...; got ...") for a shape
      that does not fit. It builds its own slots with ``diffeo.make``.
    """

    @property
    def is_exact(self) -> bool:
        return True

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "*B_in"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_out"], Float[Tensor, "*B"]]:
        """Data side to latent side; returns (y, log|det dy/dx|)."""

    @abstractmethod
    def inverse(
        self, y: Float[Tensor, "*B_out"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_in"], Float[Tensor, "*B"]]:
        """Latent side to data side; returns (x, log|det dx/dy|)."""

    def augment(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self(x, context=context)

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        return self.inverse(y, context=context)[0]
