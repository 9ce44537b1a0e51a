"""Far out: large parameters, large inputs, the edge of the domain and beyond it."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from diffeo.bijector import Bijector
from diffeo.testing.gradients import check_finite
from diffeo.testing.inputs import Inputs

__all__ = ["FACTOR", "check_stress"]

FACTOR = 50.0
"""Inputs and parameters are scaled by this."""

EDGES = {"real": (-100.0, 0.0, 100.0), "unit": (0.0, 1.0), "positive": (0.0,), "integers": (0.0, 255.0)}
"""Values that sit where a domain ends; for real numbers far outside any box, and where signs change."""

BEYOND = {"real": (), "unit": (-0.5, 1.5), "positive": (-1.0,), "integers": (-0.5, 0.5)}
"""Values that do not belong to a domain."""


def check_stress(bijector: Bijector, inputs: Inputs) -> None:
    """Values, log-dets and gradients stay finite, or a ValueError says what was expected.

    Inputs scaled by 50; parameters scaled by 50; every entry at an edge of the domain; every entry outside it.
    """
    for name, far in _variants(bijector, inputs):
        _finite_or_refused(bijector, far, name)
    heavy = copy.deepcopy(bijector)
    with torch.no_grad():
        for parameter in heavy.parameters():
            parameter.mul_(FACTOR)
    _finite_or_refused(heavy, inputs, f"parameters times {FACTOR:g}")


def _variants(bijector: Bijector, inputs: Inputs) -> Iterator[tuple[str, Inputs]]:
    able = bijector.capabilities
    x, y = _scaled(inputs.x, able.domain), _scaled(inputs.y, able.image)
    yield f"inputs times {FACTOR:g}", Inputs(x, y, None if inputs.context is None else FACTOR * inputs.context)
    for title, values in (("edge", EDGES), ("outside", BEYOND)):
        places = zip(_padded(values[able.domain]), _padded(values[able.image]), strict=True)
        for at_x, at_y in places:
            if at_x is None and at_y is None:
                continue
            x = inputs.x if at_x is None else torch.full_like(inputs.x, at_x)
            y = inputs.y if at_y is None else torch.full_like(inputs.y, at_y)
            yield f"{title}, x at {at_x} and y at {at_y}", Inputs(x, y, inputs.context)


def _scaled(values: Tensor, domain: str) -> Tensor:
    return values if domain == "unit" else FACTOR * values


def _padded(values: tuple[float, ...]) -> list[float | None]:
    return [*values, *[None] * (3 - len(values))]


def _finite_or_refused(bijector: Bijector, inputs: Inputs, name: str) -> None:
    try:
        check_finite(bijector, inputs)
    except ValueError:
        return
    except AssertionError as failure:
        raise AssertionError(f"stress, {name}: {failure}") from None
