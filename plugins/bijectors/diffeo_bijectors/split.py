"""The protocol of a split: which entries of an event a coupling keeps, and which it changes."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from diffeo_bijectors.events import Shape

__all__ = ["Split"]


class Split(nn.Module, ABC):
    """Takes an event apart into a kept and a changed part, and puts it together again.

        part(x: (*B, *shape)) -> (kept: (*B, *kept_shape), changed: (*B, *changed_shape))        join(kept, changed) -> x

    **What an author promises**

    * ``join(*part(x))`` equals x, and ``part(join(a, b))`` equals ``(a, b)``, for any batch shape, the empty batch included.
    * Each part is laid out so that a network makes sense of it: parts of an image are images, and neighbours stay
      neighbours. Neither part is empty.
    * With ``swap`` in its config the two roles are exchanged; a split and its swap together change every entry.
    * Views, ``cat``, ``stack`` and ``index_select`` only: no writes into new tensors, no boolean masks.
    * An implementation is built as ``Implementation(config, shape)``, calls ``super().__init__(shape, kept_shape,
      changed_shape)`` and raises ``ValueError`` ("expected ...; got ...") for a shape it cannot split.
    """

    shape: Shape
    kept_shape: Shape
    changed_shape: Shape

    def __init__(self, shape: Shape, kept_shape: Shape, changed_shape: Shape) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.kept_shape = tuple(kept_shape)
        self.changed_shape = tuple(changed_shape)

    @abstractmethod
    def part(self, x: Float[Tensor, "*B_event"]) -> tuple[Tensor, Tensor]:
        """The two parts of x: (kept, changed)."""

    @abstractmethod
    def join(self, kept: Tensor, changed: Tensor) -> Float[Tensor, "*B_event"]:
        """The x that has these parts."""
