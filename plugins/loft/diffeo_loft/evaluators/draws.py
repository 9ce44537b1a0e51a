"""Draws of a model with their importance weights, in chunks.

N draws, E the event shape of a target.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Distribution, Target

__all__ = ["ExactDraws", "Weighted", "chunks", "require_model", "require_target", "weighted_draws"]


@runtime_checkable
class ExactDraws(Protocol):
    """What a target may have beyond the protocol: exact draws."""

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """theta of shape ``(*sample_shape, *event_shape)``."""
        ...


class Weighted(NamedTuple):
    """Some draws of the model."""

    theta: Tensor
    """(N, *E)"""
    log_weight: Float[Tensor, " N"]
    """log p(theta) - log q(theta) in float64; -inf where theta, p or q is not finite: such a draw counts for nothing."""


def require_target(data: Any, evaluator: str) -> Target:
    """``data`` if it is a target; an error that names the evaluator otherwise."""
    if not isinstance(data, Target):
        raise ValueError(
            f"expected a target, a log-density, for the evaluator {evaluator!r}; got {type(data).__name__}: "
            "for a data set there is 'likelihood'"
        )
    return data


def require_model(model: Any, evaluator: str) -> Distribution:
    """``model`` if its draws come with their density."""
    if not isinstance(model, Distribution) or not model.is_exact:
        got = "a flow that draws noise" if isinstance(model, Distribution) else type(model).__name__
        raise ValueError(
            f"expected a model whose draws come with their density, such as a flow of bijectors, for {evaluator!r}; got {got}"
        )
    if model.context_shape is not None:
        raise ValueError(
            f"expected a model without a context for {evaluator!r}; got one of shape {model.context_shape}"
        )
    return model


def chunks(count: int, size: int) -> Iterator[int]:
    """``count`` in parts of at most ``size``."""
    for start in range(0, count, size):
        yield min(size, count - start)


def weighted_draws(model: Distribution, target: Target, count: int, batch_size: int) -> Iterator[Weighted]:
    """``count`` draws of the model in chunks."""
    for size in chunks(count, batch_size):
        theta, log_q = model.sample_and_log_prob((size,))
        log_weight = target.log_prob(theta).double() - log_q.double()
        valid = log_weight.isfinite() & theta.flatten(1).isfinite().all(-1)
        yield Weighted(theta, torch.where(valid, log_weight, -torch.inf))
