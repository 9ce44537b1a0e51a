"""What is minimised: an objective maps a model and a batch to a scalar."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from torch import Tensor, nn

__all__ = ["Loss", "Objective", "Progress"]


class Progress(NamedTuple):
    """Where training stands: the step being taken (from 0), their total, and this process's number of examples or draws."""

    step: int
    total: int
    batch_size: int


class Loss(NamedTuple):
    """The scalar to minimise and scalars to watch. (A NamedTuple: it passes through ``torch.compile``.)"""

    value: Tensor
    metrics: dict[str, Tensor] = {}  # noqa: RUF012 - never changed in place


class Objective(nn.Module, ABC):
    """A training objective, built as ``Implementation(config, model, data)``.

    ``forward(model, batch, progress)`` returns a ``Loss`` whose value is a mean over the batch. ``batch`` has ``x``, and
    ``context`` and ``y`` where the data have them; it is empty where the data are a target, and then the objective draws
    ``progress.batch_size`` samples.

    Every trainable parameter of the model and of the objective takes part in every step (a term ``0 * parameter`` will do):
    distributed training waits for each gradient. Parameters an objective owns are trained and saved with the training
    state; what is needed after training belongs in the model. An objective must not keep ``model`` as a submodule.
    """

    def __init__(self, model: nn.Module, data: Any) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, model: Any, batch: dict[str, Tensor], progress: Progress) -> Loss:
        """The loss of one batch."""
