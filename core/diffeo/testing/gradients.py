"""Gradients reach every parameter and the input, and are finite."""

from collections.abc import Collection

import torch
from torch import Tensor

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Inputs, directions
from diffeo.testing.reporting import expect, expect_finite

__all__ = ["check_finite", "check_gradients", "scalar"]


def check_gradients(bijector: Bijector, inputs: Inputs, *, idle: Collection[str] = ()) -> None:
    """Every trainable parameter gets a finite gradient that is not all zero, from values and log-dets, both ways.

    ``idle`` names parameters whose gradient may be zero, with a reason where it is called.
    """
    for way in directions(bijector, inputs):
        law = f"gradients ({way.name})"
        bijector.zero_grad(set_to_none=True)
        source = way.source.detach().clone().requires_grad_()
        scalar(*way.call(source, context=inputs.context)).backward()
        expect(law, source.grad is not None, "the input got no gradient")
        for name, parameter in bijector.named_parameters():
            if not parameter.requires_grad:
                continue
            gradient = parameter.grad
            if gradient is None:
                raise AssertionError(f"{law}: parameter {name} got no gradient")
            expect_finite(f"{law}, parameter {name}", gradient)
            moved = name in idle or bool(gradient.ne(0).any())
            expect(law, moved, f"the gradient of parameter {name} is zero everywhere")
    bijector.zero_grad(set_to_none=True)


def check_finite(bijector: Bijector, inputs: Inputs) -> None:
    """Values, log-dets and all gradients are finite both ways: for inputs at and beyond the usual range."""
    for way in directions(bijector, inputs):
        law = f"finite ({way.name})"
        bijector.zero_grad(set_to_none=True)
        source = way.source.detach().clone().requires_grad_()
        out, log_det = way.call(source, context=inputs.context)
        expect_finite(f"{law}, values", out, at=source)
        expect_finite(f"{law}, log-dets", log_det, at=source)
        scalar(out, log_det).backward()
        if source.grad is not None:
            expect_finite(f"{law}, gradient of the input", source.grad, at=source)
        for name, parameter in bijector.named_parameters():
            if parameter.grad is not None:
                expect_finite(f"{law}, gradient of parameter {name}", parameter.grad)
    bijector.zero_grad(set_to_none=True)


def scalar(out: Tensor, log_det: Tensor) -> Tensor:
    """A scalar that depends on every output entry, with a weight of its own, and on the log-dets."""
    weights = torch.linspace(0.5, 1.5, out.numel(), dtype=out.dtype, device=out.device).reshape(out.shape)
    return (weights * out).sum() + log_det.sum()
