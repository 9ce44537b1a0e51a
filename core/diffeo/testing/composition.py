"""A step among others: in front of and behind every built-in step that fits, inside chain, repeat and invert."""

from collections.abc import Iterator
from typing import Any

import torch

from diffeo.bijector import Bijector
from diffeo.building import make
from diffeo.testing.inputs import Inputs, draw_inputs
from diffeo.testing.inverses import check_log_det, check_round_trip
from diffeo.testing.random_parameters import randomize
from diffeo.testing.reporting import expect, expect_close
from diffeo_registry import DiffeoError, Slot, installed, structure
from diffeo_registry.catalogue import CATALOGUE

__all__ = ["built_in_steps", "check_chain", "check_combinators", "combinator"]

Shape = tuple[int, ...]


def built_in_steps(shape: Shape, context_shape: Shape | None, *, seed: int = 7) -> Iterator[tuple[str, Any]]:
    """(name, config) of every bijector of our own packages that can be built for these shapes with its default fields."""
    registry = installed()
    for one in registry.of_kind("bijector"):
        if one.package != "diffeo" and one.package not in CATALOGUE:
            continue
        try:
            config = structure(one.qualified, Slot("bijector"), registry=registry)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                make(config, shape, context_shape)
        except DiffeoError:  # it has required fields, or takes other shapes
            continue
        yield one.name, config


def combinator(name: str, **fields: Any) -> Any:
    """The config of a combinator of the core."""
    return structure({name: fields}, Slot("bijector"), registry=installed())


def check_chain(step: Bijector, inputs: Inputs, *, scale: float = 0.5, atol: float = 1e-8) -> None:
    """Behind and in front of each built-in step: round trip, and log-dets that add up."""
    able, context_shape = step.capabilities, step.context_shape
    for name, config in built_in_steps(step.out_shape, context_shape):
        other = _random(config, step.out_shape, context_shape, scale)
        if other.capabilities.domain == able.image:
            _check_pair(step, other, inputs.x, inputs.context, f"composition, {name} behind it", atol=atol)
    for name, config in built_in_steps(step.in_shape, context_shape):
        other = _random(config, step.in_shape, context_shape, scale)
        if other.capabilities.image == able.domain and other.out_shape == step.in_shape:
            drawn = draw_inputs(other.in_shape, other.out_shape, domain=other.capabilities.domain, dtype=inputs.x.dtype)
            _check_pair(other, step, drawn.x, inputs.context, f"composition, {name} in front of it", atol=atol)


def check_combinators(
    config: Any, step: Bijector, inputs: Inputs, *, scale: float = 0.5, atol: float = 1e-8, slack: float = 1.0
) -> None:
    """Built from its config inside chain, repeat and invert: the laws of a bijector hold for the whole."""
    able, context_shape = step.capabilities, step.context_shape
    parts = [("chain", {"steps": [config]})]
    if step.in_shape == step.out_shape and able.domain == able.image:
        parts += [("repeat", {"times": 2, "steps": [config]}), ("invert", {"steps": [config]})]
    for name, fields in parts:
        whole = _random(combinator(name, **fields), step.in_shape, context_shape, scale / 2)
        try:
            check_round_trip(whole, inputs, atol=slack * atol, rtol=slack * atol)
            check_log_det(whole, inputs, preserves_volume=able.preserves_volume, atol=slack * atol)
        except AssertionError as failure:
            raise AssertionError(f"composition, inside {name}: {failure}") from None


def _random(config: Any, shape: Shape, context_shape: Shape | None, scale: float) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return randomize(make(config, shape, context_shape), 1, scale).double().eval()


def _check_pair(first: Bijector, second: Bijector, x: Any, context: Any, law: str, *, atol: float) -> None:
    middle, log_det_1 = first(x, context=context)
    y, log_det_2 = second(middle, context=context)
    back, log_det_back = second.inverse(y, context=context)
    begin, log_det_begin = first.inverse(back, context=context)
    expect(law, y.shape == (len(x), *second.out_shape), f"expected event {second.out_shape}; got {tuple(y.shape)}")
    expect_close(law, begin, x, atol=atol, rtol=atol, at=x)
    there, home = log_det_1 + log_det_2, log_det_back + log_det_begin
    expect_close(f"{law}, sum of log-dets", there + home, torch.zeros_like(there), atol=atol, at=x)
