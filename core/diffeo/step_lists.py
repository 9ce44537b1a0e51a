"""Steps in a row: built one on the shape of the other, run forwards, run backwards, stripped."""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from diffeo.augmenter import Augmenter
from diffeo.bijector import Bijector
from diffeo.building import make
from diffeo.recomputation import call_step
from diffeo_registry import BuildError

__all__ = [
    "last_shape",
    "make_steps",
    "named_steps",
    "require_invertible",
    "run_back",
    "run_steps",
    "strip_steps",
    "zeros",
]

Shape = tuple[int, ...]


def make_steps(configs: Sequence[Any], shape: Shape, context_shape: Shape | None) -> nn.ModuleList:
    """Build steps one after the other, each on the shape the one before it leaves."""
    steps = nn.ModuleList()
    for index, config in enumerate(configs):
        step = make(config, shape, context_shape, at=("steps", index))
        steps.append(step)
        shape = step.out_shape
    return steps


def named_steps(steps: nn.ModuleList, prefix: str = "steps.") -> dict[str, Augmenter]:
    """The steps by the prefix of their parameters' names."""
    return {f"{prefix}{index}.": cast(Augmenter, step) for index, step in enumerate(steps)}


def last_shape(steps: nn.ModuleList, shape: Shape) -> Shape:
    """The shape that steps built on ``shape`` end in."""
    return cast(Augmenter, steps[-1]).out_shape if len(steps) else tuple(shape)


def zeros(x: Tensor, event_dims: int) -> Tensor:
    """Zero log-weights for a batch of events."""
    return x.new_zeros(x.shape[: x.dim() - event_dims])


def run_steps(steps: nn.ModuleList, x: Tensor, total: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """(y, total plus the log-weights of all steps), first step first."""
    for step in map(_as_augmenter, steps):
        x, log_weight = call_step(step.augment, x, context, step=step, recompute=step.recompute)
        total = total + log_weight
    return x, total


def run_back(steps: nn.ModuleList, y: Tensor, total: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """(x, total plus the log-dets of all inverses), last step first."""
    for step in map(_as_bijector, reversed(steps)):
        y, log_det = call_step(step.inverse, y, context, step=step, recompute=step.recompute)
        total = total + log_det
    return y, total


def strip_steps(steps: nn.ModuleList, y: Tensor, context: Tensor | None) -> Tensor:
    """The x that y was made from, last step first."""
    for step in reversed(steps):
        y = cast(Augmenter, step).strip(y, context=context)
    return y


def require_invertible(steps: nn.ModuleList, shape: Shape, where: str) -> None:
    """Raise unless every step is exact and their chain maps ``shape`` to itself."""
    for index, step in enumerate(steps):
        if not cast(Augmenter, step).is_exact:
            raise BuildError(
                f"expected a bijector inside {where}; got an augmenter, which has no inverse", ("steps", index)
            )
    if last_shape(steps, shape) != shape:
        raise BuildError(
            f"expected steps that keep the shape inside {where}; got {shape} to {last_shape(steps, shape)}"
        )


def _as_augmenter(step: nn.Module) -> Augmenter:
    return cast(Augmenter, step)


def _as_bijector(step: nn.Module) -> Bijector:
    return cast(Bijector, step)
