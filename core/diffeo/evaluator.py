"""What looks at a trained model: numbers for ``run.metrics`` and pictures for the report."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from diffeo.world import World

__all__ = ["Evaluator"]


class Evaluator(ABC):
    """Measures or draws a model, built as ``Implementation(config)``.

    ``__call__(model, data, folder)`` returns numbers by name and may write ``*.png`` files into ``folder``; the report
    shows them under the evaluator's name, the picture's file stem as its caption. The model is in eval mode and gradients
    are off. How many examples and draws it takes are fields of its config.

    Where several processes train together the main one calls it and the others wait, unless ``is_sharded`` says that it
    shares its work: then all of them call it, each with its ``world``, and must return the same numbers.

    ``check`` is called before the first step: what an evaluator can't measure is told then, not after hours of training.
    """

    is_sharded: ClassVar[bool] = False
    world: World = World()

    def check(self, model: Any, data: Any) -> None:
        """Raise a ``ValueError`` unless this model and these data can be measured; by default nothing is required."""

    @abstractmethod
    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        """Numbers by name; they become ``<evaluator>/<name>`` in ``run.metrics``."""
