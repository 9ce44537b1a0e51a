"""Watching the steps of a flow at work: what each adds to the log-likelihood, and which one ceases to be finite.

B batch shape.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from diffeo.augmenter import Augmenter
from diffeo.bijector import Bijector
from diffeo.combinators import Composite
from diffeo.distribution import Distribution
from diffeo.flow_model import FlowModel
from diffeo.run_metrics import LOG_WEIGHT
from diffeo.summary import name_of

__all__ = ["Contribution", "Trace", "first_not_finite", "shares", "traced"]


class Contribution(NamedTuple):
    """What one part of a flow added in one call: its log-weight (a log-det, or the base's log-density), and where all is well."""

    name: str
    log_weight: Tensor
    """``(*B)``"""
    is_finite: Tensor
    """``(*B)``: whether log-weight and output are finite."""


Trace = list[Contribution]


@contextmanager
def traced(module: nn.Module) -> Generator[Trace]:
    """Record every step and base of the flows in ``module`` that is called in the block, in the order of the calls."""
    trace: Trace = []
    wrapped: list[tuple[nn.Module, str]] = []
    for path, part in flow_parts(module):
        recorder = _Recorder(f"{path}.{name_of(part)}", trace)
        for method in _methods(part):
            setattr(part, method, recorder.around(getattr(part, method)))
            wrapped.append((part, method))
    try:
        yield trace
    finally:
        for part, method in wrapped:
            delattr(part, method)


def flow_parts(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Steps, dequantization and base of the flows in a module, in their order; combinators are walked through."""
    for key, child in module.named_children():
        place = f"{path}.{key}" if path else key
        if isinstance(child, (Composite, FlowModel, nn.ModuleList)):
            yield from flow_parts(child, place)
        elif isinstance(child, Augmenter) or (isinstance(child, Distribution) and isinstance(module, FlowModel)):
            yield place, child


def shares(trace: Trace) -> dict[str, float]:
    """``log_weight/<part>``: the mean of each part's log-weight, in nats; over an objective's pass they add up to log p.

    An objective that goes through the flow more than once, there and back, computes log p the first time.
    """
    first: dict[str, float] = {}
    for one in trace:
        if one.log_weight.numel() and one.name not in first:
            first[one.name] = float(one.log_weight.double().mean())
    return {f"{LOG_WEIGHT}{name}": value for name, value in first.items()}


def first_not_finite(trace: Trace) -> tuple[str, Tensor] | None:
    """The first part that was not finite everywhere, with the rows (numbers in the flattened batch) where it was not."""
    for one in trace:
        if not bool(one.is_finite.all()):
            return one.name, (~one.is_finite.reshape(-1)).nonzero().reshape(-1)
    return None


def _methods(part: nn.Module) -> tuple[str, ...]:
    """The methods that return a log-weight."""
    if isinstance(part, Distribution):
        return ("log_prob", "sample_and_log_prob")
    return ("augment", "inverse") if isinstance(part, Bijector) else ("augment",)


class _Recorder:
    """Adds to a trace what the methods of one part return; what they call of each other counts once."""

    def __init__(self, name: str, trace: Trace) -> None:
        self.name, self.trace = name, trace
        self.inside = False

    def around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: Any, **keywords: Any) -> Any:
            if self.inside:
                return method(*arguments, **keywords)
            self.inside = True
            try:
                result = method(*arguments, **keywords)
            finally:
                self.inside = False
            outputs, log_weight = ([], result) if isinstance(result, Tensor) else ([result[0]], result[1])
            self.trace.append(Contribution(self.name, log_weight.detach(), _finite_rows(log_weight, outputs)))
            return result

        return record


def _finite_rows(log_weight: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    finite = torch.isfinite(log_weight.detach())
    for output in outputs:
        size = math.prod(output.shape[log_weight.dim() :])
        finite = finite & torch.isfinite(output.detach()).reshape(*log_weight.shape, size).all(-1)
    return finite
