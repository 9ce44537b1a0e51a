"""Derivatives without autograd: log-dets and gradients against differences of values."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Direction, Inputs, directions
from diffeo.testing.reporting import expect_close

__all__ = ["check_gradcheck", "check_gradgradcheck", "check_log_det_by_differences"]

STEP = 1e-5
"""Times max(1, |x|): the error of a central difference, STEP^2 and 1e-16 / STEP in float64, is then least, about 1e-10."""

SMALL_STEP = 1e-8
"""For gradients: among the hundreds of kinks of a ReLU network a larger step meets one, while the error of a difference,
1e-16 / 1e-8 times the size of the outputs, is far below the 1e-3 that gradients may differ by."""


def check_log_det_by_differences(bijector: Bijector, inputs: Inputs, *, rows: int = 2, atol: float = 1e-5) -> None:
    """The log-det equals log|det| of the Jacobian by central differences of values, both ways.

    It finds what autograd cannot: a custom backward pass that is wrong in the same way as the log-det.
    """
    few = inputs.first(rows)
    for way in directions(bijector, few):
        _, log_det = way.call(way.source, context=few.context)
        matrices = torch.stack([_jacobian(way, few, row) for row in range(rows)])
        expected = torch.linalg.slogdet(matrices).logabsdet
        expect_close(f"log-det by differences ({way.name})", log_det, expected, atol=atol, rtol=atol, at=way.source)


def check_gradcheck(bijector: Bijector, inputs: Inputs, *, rows: int = 2) -> None:
    """Gradients of values and log-dets by the input and every parameter agree with differences, both ways."""
    _compare(bijector, inputs.first(rows), gradcheck, "gradcheck")


def check_gradgradcheck(bijector: Bijector, inputs: Inputs, *, rows: int = 2) -> None:
    """Second derivatives agree with differences of first ones, both ways."""
    _compare(bijector, inputs.first(rows), gradgradcheck, "gradgradcheck")


@torch.no_grad()
def _jacobian(way: Direction, inputs: Inputs, row: int) -> Tensor:
    context = None if inputs.context is None else inputs.context[row]
    flat = way.source[row].flatten()
    columns: list[Tensor] = []
    for entry in range(flat.numel()):
        step = torch.zeros_like(flat)
        step[entry] = STEP * float(flat[entry].abs().clamp(min=1.0))
        ends = [way.call((flat + sign * step).reshape(way.source_shape), context=context)[0] for sign in (1, -1)]
        columns.append((ends[0] - ends[1]).flatten() / (2 * step[entry]))
    return torch.stack(columns, -1)


class _Caller(nn.Module):
    """One direction as a module's forward, which is what ``functional_call`` can call."""

    def __init__(self, bijector: Bijector, name: str) -> None:
        super().__init__()
        self.part = bijector
        self.name = name

    def forward(self, source: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return getattr(self.part, self.name)(source, context=context)


def _compare(bijector: Bijector, inputs: Inputs, compare: Any, law: str) -> None:
    for way in directions(bijector, inputs):
        caller = _Caller(bijector, way.name)
        names = [name for name, value in caller.named_parameters() if value.requires_grad]
        values = [value.detach().clone().requires_grad_() for value in caller.parameters() if value.requires_grad]

        def outputs(source: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
            parameters = dict(zip(names, values, strict=True))  # noqa: B023 - called before the loop goes on
            result = torch.func.functional_call(caller, parameters, (source, inputs.context))  # noqa: B023
            return tuple(value for value in cast(tuple[Tensor, Tensor], result) if value.requires_grad)

        source = way.source.detach().clone().requires_grad_()
        try:
            compare(outputs, (source, *values), eps=SMALL_STEP, fast_mode=True)
        except GradcheckError as error:
            numbers = " ".join(str(error).split())
            raise AssertionError(f"{law} ({way.name}): expected gradients as differences give; got {numbers}") from None
