"""A look at the first examples before training: a model must not take for data what has no density under it."""

from typing import cast

import torch
from torch import Tensor

from diffeo.augmenter import Augmenter
from diffeo.flow_model import FlowModel
from diffeo_registry import BuildError

__all__ = ["LOOKED_AT", "check_values"]

LOOKED_AT = 100
"""Examples: no time to read, and where data do not fit it is rarely by a few of them."""

_TOLERANCE = 1e-3
"""Relative, of a step and back in float32: its rounding is far below, and what was clamped is seldom so near."""

_WORDS = {"unit": "in (0, 1)", "positive": "above 0"}


def check_values(flow: FlowModel, x: Tensor) -> None:
    """Raise ``BuildError`` for integers without dequantization, numbers between them with one, and what a first step clamps."""
    if not x.is_floating_point():
        if flow.dequantization is None:
            raise BuildError(
                f"expected a dequantization for integer data ({x.dtype}); got none: write 'dequantization: uniform'"
            )
    elif flow.dequantization is None:
        _check_domain(flow, x)
    elif bool((x != x.floor()).any()):
        got = float(x[x != x.floor()][0])
        raise BuildError(
            f"expected whole numbers as data of a flow with a dequantization; got {got:g}: leave it out for them",
            ("dequantization",),
        )


@torch.no_grad()
def _check_domain(flow: FlowModel, x: Tensor) -> None:
    """Raise for data outside of where the first step is defined; it keeps them finite there, and their density is any number."""
    first = cast(Augmenter, flow.steps[0]) if flow.start == "data" and len(flow.steps) else None
    if first is None or first.capabilities.domain not in _WORDS:
        return
    able = first.capabilities
    if able.inverse != "analytic" or able.sequential_inverse or able.batch_statistics or able.context != "none":
        return
    x = x.to(flow.like)
    off = (first.strip(first.augment(x)[0]) - x).abs() > _TOLERANCE * (1 + x.abs())
    if bool(off.any()):
        raise BuildError(
            f"expected data {_WORDS[able.domain]}, where this step is defined; got {float(x[off][0]):g}: scale them by a step "
            "before it",
            ("steps", 0),
        )
