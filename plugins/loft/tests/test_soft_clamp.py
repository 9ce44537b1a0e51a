"""The soft clamp: its range, its slope, and that the other clamps of the comparison can be written."""

import math

import pytest
import torch

import diffeo

RAW = torch.cat([-torch.logspace(8, -8, 301, dtype=torch.float64), torch.logspace(-8, 8, 301, dtype=torch.float64)])


def test_values_are_those_of_the_formula():
    scale = diffeo.build("scale", "soft_clamp")
    for raw in (-1e8, -3.0, -1e-8, 0.0, 1e-8, 0.3, 1e8):
        bound = 2.0 if raw < 0 else 0.1
        wanted = 2 * bound / math.pi * math.atan(raw / bound)
        assert scale(torch.tensor(raw, dtype=torch.float64)).item() == pytest.approx(wanted, rel=1e-14)


def test_range_is_open_and_asymmetric():
    out = diffeo.build("scale", "soft_clamp")(RAW)
    assert -2.0 < out.min().item() < -1.9999
    assert 0.0999 < out.max().item() < 0.1
    assert bool((out.diff() > 0).all()), "strictly increasing"


def test_slope_at_zero_is_two_over_pi_from_both_sides():
    for raw in (-1e-12, 0.0, 1e-12):
        point = torch.tensor(raw, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(diffeo.build("scale", "soft_clamp")(point), point)
        assert slope.item() == pytest.approx(2 / math.pi, rel=1e-12)


def test_slope_is_that_of_the_formula():
    raw = RAW.clone().requires_grad_()
    (slope,) = torch.autograd.grad(diffeo.build("scale", "soft_clamp")(raw).sum(), raw)
    bound = torch.where(RAW < 0, torch.tensor(2.0, dtype=torch.float64), 0.1)
    assert torch.allclose(slope, 2 / math.pi / (1 + (RAW / bound) ** 2), rtol=1e-12, atol=0)


def test_equal_bounds_are_symmetric():
    scale = diffeo.build("scale", {"soft_clamp": {"negative": 0.1, "positive": 0.1}})
    assert torch.equal(scale(RAW), -scale(-RAW))


def test_what_is_not_finite_becomes_nan():
    out = diffeo.build("scale", "soft_clamp")(torch.tensor([math.inf, -math.inf, math.nan]))
    assert bool(out.isnan().all())


def test_tanh_of_bound_one_is_the_clamp_of_anisotropic_flows():
    torch.testing.assert_close(diffeo.build("scale", {"tanh": {"bound": 1.0}})(RAW), RAW.tanh(), rtol=0.0, atol=1e-15)
