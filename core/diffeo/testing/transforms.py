"""Program transformations: torch.compile without a graph break, vmap, jacrev, functional_call."""

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from diffeo.bijector import Bijector
from diffeo.testing.gradients import scalar
from diffeo.testing.inputs import Direction, Inputs, directions
from diffeo.testing.reporting import expect_close

__all__ = ["check_compile", "check_functional_call", "check_jacrev", "check_vmap"]


def check_compile(bijector: Bijector, inputs: Inputs, *, backend: str = "aot_eager", atol: float = 1e-9) -> None:
    """``torch.compile(fullgraph=True)`` of both ways gives the eager values, log-dets and gradients."""
    for way in directions(bijector, inputs):
        law = f"compile with {backend} ({way.name})"
        torch.compiler.reset()
        compiled = way._replace(call=torch.compile(way.call, fullgraph=True, backend=backend))
        wanted = _results(bijector, way, inputs)
        for name, value in _results(bijector, compiled, inputs).items():
            slack = 1e3 if name.startswith("gradient") else 1.0
            expect_close(f"{law}, {name}", value, wanted[name], atol=slack * atol, rtol=slack * atol)
    torch.compiler.reset()


def check_vmap(bijector: Bijector, inputs: Inputs, *, atol: float = 1e-10) -> None:
    """``torch.func.vmap`` over rows gives what the batch gives."""
    for way in directions(bijector, inputs):
        want, want_log_det = way.call(way.source, context=inputs.context)
        out, log_det = _vmapped(_rowwise(way), way, inputs)
        expect_close(f"vmap ({way.name})", out, want, atol=atol, rtol=atol, at=way.source)
        expect_close(f"vmap ({way.name}), log-det", log_det, want_log_det, atol=atol, rtol=atol, at=way.source)


def check_jacrev(bijector: Bijector, inputs: Inputs, *, rows: int = 2, atol: float = 1e-8) -> None:
    """``vmap(jacrev)`` gives Jacobians whose log|det| is the log-det."""
    few = Inputs(*(None if part is None else part[:rows] for part in inputs))  # type: ignore[arg-type]
    for way in directions(bijector, few):
        value = _rowwise(way)
        jacobian = cast(Callable[..., Tensor], torch.func.jacrev(lambda *row: value(*row)[0]))  # noqa: B023
        size = torch.Size(way.source_shape).numel()
        matrices = _vmapped(jacobian, way, few).reshape(rows, size, size)
        _, log_det = way.call(way.source, context=few.context)
        expect_close(
            f"jacrev ({way.name})",
            torch.linalg.slogdet(matrices).logabsdet,
            log_det,
            atol=atol,
            rtol=atol,
            at=way.source,
        )


def check_functional_call(bijector: Bijector, inputs: Inputs) -> None:
    """``functional_call`` with other parameters gives what a copy that holds them gives."""
    other = {name: 0.9 * value.detach() + 0.05 for name, value in bijector.named_parameters()}
    changed = copy.deepcopy(bijector)
    with torch.no_grad():
        for name, value in changed.named_parameters():
            value.copy_(other[name])
    want, want_log_det = changed(inputs.x, context=inputs.context)
    out, log_det = torch.func.functional_call(bijector, other, (inputs.x,), {"context": inputs.context})
    expect_close("functional_call", out, want, atol=1e-12, rtol=1e-12, at=inputs.x)
    expect_close("functional_call, log-det", log_det, want_log_det, atol=1e-12, rtol=1e-12, at=inputs.x)


def _results(bijector: Bijector, way: Direction, inputs: Inputs) -> dict[str, Tensor]:
    """Values, log-dets and the gradients of a scalar made of both, from one call."""
    source = way.source.detach().clone().requires_grad_()
    named = {name: value for name, value in bijector.named_parameters() if value.requires_grad}
    out, log_det = way.call(source, context=inputs.context)
    gradients = torch.autograd.grad(scalar(out, log_det), [source, *named.values()])
    names = (f"gradient of {name}" for name in ("the input", *named))
    return {"values": out, "log-dets": log_det, **dict(zip(names, gradients, strict=True))}


def _rowwise(way: Direction) -> Callable[..., tuple[Tensor, Tensor]]:
    """The map on one row, with the context as a positional argument where there is one."""

    def call(row: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return way.call(row, context=context)

    return call


def _vmapped(function: Callable[..., Any], way: Direction, inputs: Inputs) -> Any:
    arguments = (way.source,) if inputs.context is None else (way.source, inputs.context)
    return torch.func.vmap(function)(*arguments)
