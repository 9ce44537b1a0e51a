"""What targets promise: a log-density of every row by itself, with a gradient, wherever theta is."""

import torch
from torch import Tensor

from diffeo.dataset import Target
from diffeo.testing.batches import BATCHES, EMPTY
from diffeo.testing.reporting import expect, expect_close, expect_equal, expect_finite
from diffeo.testing.subject import Subject

__all__ = ["constrained", "gradient", "log_prob", "unchanged"]

ROWS = 12


def log_prob(subject: Subject) -> None:
    """One number for every row, in its dtype, for any batch shape; a row gives the same alone."""
    target = _made(subject)
    theta = _theta(target, torch.float64)
    flat = target.log_prob(theta)
    expect_finite("log_prob", flat, theta)
    for shape in (*BATCHES, *EMPTY):
        rows = theta[: torch.Size(shape).numel()]
        value = target.log_prob(rows.reshape(*shape, *target.event_shape))
        expect_close(f"log_prob, batch {shape}", value, flat[: len(rows)].reshape(shape), atol=1e-9, rtol=1e-9)
    single = target.log_prob(theta.float())
    expect("log_prob", single.dtype == torch.float32, f"expected float32 from float32; got {single.dtype}")


def gradient(subject: Subject) -> None:
    """The gradient by theta is finite, at the usual size and at thirty times that, and that of differences at the usual one."""
    target = _made(subject)
    for scale in (1.0, 30.0):
        theta = scale * _theta(target, torch.float64)
        expect_finite(f"gradient, theta times {scale:g}", _gradient(target, theta), theta)
    theta = _theta(target, torch.float64)
    direction = _theta(target, torch.float64, seed=1)
    step = 1e-6
    differences = (target.log_prob(theta + step * direction) - target.log_prob(theta - step * direction)) / (2 * step)
    along = (_gradient(target, theta) * direction).flatten(1).sum(1)
    expect_close("gradient, against differences", along, differences, atol=1e-4, rtol=1e-5, at=theta)


def constrained(subject: Subject) -> None:
    """``constrain`` gives every row's parameters, finite, the same for a row alone."""
    target = _made(subject)
    theta = _theta(target, torch.float64)
    values = target.constrain(theta)
    expect("constrained", len(values) == ROWS, f"expected {ROWS} rows; got shape {tuple(values.shape)}")
    expect_finite("constrained", values, theta)
    expect_close("constrained, a row alone", target.constrain(theta[:1]), values[:1], atol=1e-12, rtol=1e-12)


def unchanged(subject: Subject) -> None:
    """Calls do not change theta, and the same theta gives the same bits twice."""
    target = _made(subject)
    theta = _theta(target, torch.float64)
    before = theta.clone()
    first, again = target.log_prob(theta), target.log_prob(theta)
    target.constrain(theta)
    expect_equal("unchanged, theta", theta, before)
    expect_equal("unchanged, log_prob twice", again, first)


def _made(subject: Subject) -> Target:
    target: Target = subject.make()
    return target.double().eval()


def _theta(target: Target, dtype: torch.dtype, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(ROWS, *target.event_shape, generator=generator, dtype=torch.float64).to(dtype)


def _gradient(target: Target, theta: Tensor) -> Tensor:
    theta = theta.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(target.log_prob(theta).sum(), theta)
    return gradient
