"""What distributions promise beyond the laws of maps: draws of the right shape that follow the density."""

from typing import Any

import torch
from torch import Tensor

from diffeo.distribution import Distribution
from diffeo.testing.densities import (
    box_around_mass,
    check_log_prob_of_samples,
    check_normalized,
    check_sampled_density,
)
from diffeo.testing.reporting import expect, expect_close, expect_equal, expect_finite
from diffeo.testing.subject import PLANE, Subject

__all__ = ["moments", "normalised", "reparameterised", "sample_shapes", "sampled_log_prob", "temperature"]

STANDARD_ERRORS = 5.0
"""Dozens of entries are compared at once: by chance one is further off in some of 100,000 cases."""


def sample_shapes(subject: Subject) -> None:
    """Draws have shape (*sample_shape, *B, *event_shape), in the dtype of the module; B is that of the context."""
    for dtype in (torch.float32, torch.float64):
        distribution, context = _built(subject, dtype)
        for sample_shape in ((), (3,), (2, 3), (0,)):
            want = (*sample_shape, *distribution.batch_shape(context), *distribution.event_shape)
            drawn = distribution.sample(sample_shape, context=context)
            _expect_shape(f"sample shapes {sample_shape}", drawn, want)
            floating = drawn.dtype == dtype or not drawn.is_floating_point()
            expect("sample shapes", floating, f"expected draws in {dtype}, as the module; got {drawn.dtype}")
            if distribution.is_exact:
                x, log_prob = distribution.sample_and_log_prob(sample_shape, context=context)
                _expect_shape(f"sample shapes {sample_shape}", x, want)
                _expect_shape(
                    f"sample shapes {sample_shape}", log_prob, want[: len(want) - len(distribution.event_shape)]
                )
    try:
        distribution.sample(3, context=context)  # type: ignore[arg-type]
    except ValueError:
        return
    raise AssertionError("sample shapes: expected a ValueError for sample_shape=3; got a draw")


def sampled_log_prob(subject: Subject) -> None:
    """``log_prob`` of a draw is the log-density that came with it."""
    distribution, context = _built(subject)
    check_log_prob_of_samples(distribution, context)


def temperature(subject: Subject) -> None:
    """Temperature 1 is the default, and 0 takes away all spread."""
    distribution, context = _built(subject)
    expect_equal("temperature 1", _draw(distribution, context, temperature=1.0), _draw(distribution, context))
    cold = _draw(distribution, context, temperature=0.0)
    expect_close("temperature 0", cold, cold[:1].expand_as(cold), atol=1e-9, rtol=1e-9)


def reparameterised(subject: Subject) -> None:
    """Gradients of draws and their log-densities reach every parameter that moves them, and are finite."""
    distribution, context = _built(subject)
    x, log_prob = distribution.sample_and_log_prob((4,), context=context)
    parameters = [value for value in distribution.parameters() if value.requires_grad]
    if not parameters:
        return
    expect("reparameterised", x.requires_grad, "expected draws through which gradients flow; got draws without any")
    (x.sum() + log_prob.sum()).backward()
    reached = [name for name, value in distribution.named_parameters() if value.grad is not None]
    expect("reparameterised", bool(reached), "expected a gradient by a parameter; got none")
    for name, value in distribution.named_parameters():
        if value.grad is not None:
            expect_finite(f"reparameterised, parameter {name}", value.grad)


def moments(subject: Subject, *, draws: int = 20_000) -> None:
    """``sample`` and ``sample_and_log_prob`` have the same means, within 5 standard errors, and E[grad log p] is 0.

    The second is the score identity: the density integrates to the same number however x is moved, and draws follow it.
    """
    distribution, context = _built(subject)
    one = None if context is None else context[0]
    with torch.no_grad():
        first = distribution.sample((draws,), context=one).double()
        second = distribution.sample_and_log_prob((draws,), context=one)[0].double()
    _expect_mean("moments, sample against sample_and_log_prob", first.tanh() - second.tanh())
    if distribution.capabilities.domain == "real":
        x = first.detach().requires_grad_()
        conditions = None if one is None else one.expand(draws, *one.shape)
        (score,) = torch.autograd.grad(distribution.log_prob(x, context=conditions).sum(), x)
        _expect_mean("moments, gradient of log p", score)


def normalised(subject: Subject) -> None:
    """In the plane the density integrates to 1, and draws fall into cells as it says."""
    distribution = subject.build(shape=PLANE, context_shape=None)
    x, y = box_around_mass(distribution, distribution.capabilities.domain)
    check_normalized(distribution.log_prob, x=x, y=y, points=600, atol=1e-2)
    check_sampled_density(distribution)


def _built(subject: Subject, dtype: torch.dtype = torch.float64) -> tuple[Distribution, Tensor | None]:
    distribution: Any = subject.build(dtype)
    return distribution, subject.inputs(subject.view(distribution), dtype=dtype).context


def _draw(distribution: Distribution, context: Tensor | None, **options: float) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return distribution.sample((5,), context=context, **options)


def _expect_shape(law: str, value: Tensor, want: tuple[int, ...]) -> None:
    expect(law, tuple(value.shape) == want, f"expected shape {want}; got {tuple(value.shape)}")


def _expect_mean(law: str, values: Tensor) -> None:
    mean, error = values.mean(0), values.std(0) / len(values) ** 0.5
    excess = (mean.abs() - STANDARD_ERRORS * error - 1e-9).flatten()
    worst = int(excess.argmax())
    message = (
        f"expected 0; got {float(mean.flatten()[worst]):.4g} at entry {worst}, more than {STANDARD_ERRORS:g} standard "
        f"errors of {float(error.flatten()[worst]):.2g}"
    )
    expect(law, float(excess.max()) <= 0, message)
