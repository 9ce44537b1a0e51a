"""What ``data:`` takes: data sets, which deliver batches by index, and targets, which are unnormalised log-densities."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jaxtyping import Float, Int64
from torch import Tensor, nn

__all__ = ["Dataset", "Target"]

Shape = tuple[int, ...]


class Dataset(ABC):
    """A data set: named splits whose examples are fetched by index, built as ``Implementation(config, seed)``.

    **What an author promises**

    * ``shapes`` holds the event shapes of what a batch contains: ``x``, and ``context`` and ``y`` where there are any. It
      follows from the config; reading files waits until ``size`` or ``batch`` is called (or ``prepare``, which a run calls
      first). A file that is missing raises ``FileNotFoundError`` that says which, and how to get it.
    * ``batch(split, indices, seeds)`` is a pure function: the same arguments give the same tensors in any process. Images
      are ``uint8`` of shape ``(C, H, W)``; preprocessing is integer work only (pad, flip, crop, pooling), scaling is a step
      of the flow.
    * ``seeds`` holds one number per example, from which all randomness of that example follows (a flip, a fresh draw of a
      synthetic density). It is None for evaluation: then nothing is augmented.
    * The assignment of examples to splits depends on the seed alone.
    """

    shapes: Mapping[str, Shape]

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.shapes = dict(shapes)

    def prepare(self) -> None:
        """Read or check what is on disk, so that a run fails before its first step if it has to."""

    @abstractmethod
    def size(self, split: str) -> int | None:
        """Number of examples of ``"train"``, ``"val"`` or ``"test"`` (0: no such split); None for an endless source."""

    @abstractmethod
    def batch(
        self, split: str, indices: Int64[Tensor, " N"], seeds: Int64[Tensor, " N"] | None = None
    ) -> dict[str, Tensor]:
        """The examples at ``indices``: ``{"x": (N, *shape)}``, with ``context`` and ``y`` where the data have them."""


class Target(nn.Module, ABC):
    """An unnormalised log-density of unconstrained ``theta``, for variational inference; built as ``Implementation(config)``.

    ``log_prob`` includes the Jacobian of the constraints, so that it is a density over all of R^D; ``constrain`` gives the
    user's own parameters, ``by_name`` the same with their names. ``log_marginal`` is the exact log-normaliser where it is
    known, else None. A target that can be drawn from exactly has a method ``sample(sample_shape) -> theta`` as well.
    """

    event_shape: Shape
    log_marginal: float | None = None
    entries: Mapping[str, Sequence[str]] = MappingProxyType({})
    """Parameter of rank 1 -> what its entries are called, such as the covariates that coefficients belong to."""

    def __init__(self, event_shape: Shape) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)

    @property
    def shapes(self) -> dict[str, Shape]:
        return {"x": self.event_shape}

    @abstractmethod
    def log_prob(self, theta: Float[Tensor, "*B_event"]) -> Float[Tensor, "*B"]:
        """log of the unnormalised density at theta, Jacobian of the constraints included."""

    def constrain(self, theta: Float[Tensor, "*B_event"]) -> Tensor:
        """The parameters as the user wrote them, in one tensor."""
        return theta

    def by_name(self, theta: Float[Tensor, "*B_event"]) -> dict[str, Tensor]:
        """The parameters by name, each ``(*B, *its_shape)``, and what is derived of them; files and reports show these."""
        return {"theta": self.constrain(theta)}
