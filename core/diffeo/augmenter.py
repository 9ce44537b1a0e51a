"""The protocol of every step of a flow: out with a log-weight, back without noise."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from diffeo.capabilities import Capabilities

__all__ = ["Augmenter"]

Shape = tuple[int, ...]


class Augmenter(nn.Module, ABC):
    """A stochastic step with a deterministic way back.

    ``augment`` draws ``y ~ q(y | x)`` and returns with it a log-weight ``w``; ``strip`` recovers x. One law makes it right:

        for every density p over y,   E[ p(y) exp(w) ]  is a normalised density of x, the one that p induces,

    so that ``log p(y) + w`` is an unbiased draw of the evidence lower bound on ``log p(x)``, and the log-mean-exp over K
    draws is the importance-weighted bound. For ``y = (x, z)`` with ``z ~ q(z | x)`` that is ``w = -log q(z | x)``.

    **What an author promises**

    * Shapes: x is ``(*B, *in_shape)``, y is ``(*B, *out_shape)``, the log-weight ``*B``, in nats, where ``*B`` is any batch
      shape, the empty batch included. New entries are appended at the end of the first event dimension:
      ``out_shape = (in_shape[0] + k, *in_shape[1:])``.
    * ``strip(augment(x)[0])`` equals x exactly.
    * ``context`` is ``(*B, *context_shape)`` with the same ``*B`` as x, or None where ``context_shape`` is None.
    * Nothing is changed in place; dtype and device follow the input; rows of a batch do not see each other.
    * An implementation is built as ``Implementation(config, shape, context_shape)`` and raises ``ValueError`` ("expected
      ...; got ...") for a shape that does not fit. It builds its own slots with ``diffeo.make``.
    """

    in_shape: Shape
    out_shape: Shape
    context_shape: Shape | None
    capabilities: Capabilities = Capabilities()
    """What it declares beyond this contract: where x may lie, what a context does, ...; a class or an instance replaces it."""
    recompute: bool = False
    """Set by the trainer where memory matters: a flow keeps only what enters the step and runs it again on the way back."""

    def __init__(self, shape: Shape, out_shape: Shape | None = None, context_shape: Shape | None = None) -> None:
        super().__init__()
        self.in_shape = tuple(shape)
        self.out_shape = self.in_shape if out_shape is None else tuple(out_shape)
        self.context_shape = None if context_shape is None else tuple(context_shape)

    @property
    def is_exact(self) -> bool:
        """Whether the step draws no noise, so that its log-weight is a log-determinant and ``inverse`` exists."""
        return False

    @abstractmethod
    def augment(
        self, x: Float[Tensor, "*B_in"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_out"], Float[Tensor, "*B"]]:
        """Draw y given x; returns (y, log_weight)."""

    @abstractmethod
    def strip(self, y: Float[Tensor, "*B_out"], *, context: Tensor | None = None) -> Float[Tensor, "*B_in"]:
        """The x that y was made from."""
