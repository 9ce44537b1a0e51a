"""LOFT: its formulas both ways, exact values, and what autograd says of them."""

import math

import pytest
import torch

import diffeo
from diffeo_loft import Loft

MAGNITUDES = torch.logspace(-8, 8, 401, dtype=torch.float64)
POINTS = torch.cat([-MAGNITUDES.flip(0), torch.zeros(1, dtype=torch.float64), MAGNITUDES])


def layer(tau: float, size: int = 1):
    return diffeo.build(Loft(tau=tau), shape=(size,))


@pytest.mark.parametrize("tau", [1e-3, 1.0, 100.0])
def test_values_are_those_of_the_formula(tau):
    y, _ = layer(tau)(POINTS[:, None])
    wanted = [math.copysign(min(abs(z), tau) + math.log1p(max(abs(z) - tau, 0.0)), z) for z in POINTS.tolist()]
    assert torch.allclose(y[:, 0], torch.tensor(wanted, dtype=torch.float64), rtol=1e-15, atol=0)


@pytest.mark.parametrize("tau", [1e-3, 1.0, 100.0])
def test_log_det_is_that_of_autograd(tau):
    x = POINTS[:, None].clone().requires_grad_()
    y, log_det = layer(tau)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(log_det, slope[:, 0].log(), rtol=1e-12, atol=1e-15)
    back, log_det_back = layer(tau).inverse(y.detach().requires_grad_())
    assert torch.allclose(back, x, rtol=1e-12, atol=0)
    assert torch.allclose(log_det_back, -log_det, rtol=1e-12, atol=1e-12)


def test_the_log_det_adds_up_over_the_event():
    y, log_det = layer(100.0, 3)(torch.tensor([[50.0, 101.0, -1e6]], dtype=torch.float64))
    assert y.tolist()[0] == pytest.approx([50.0, 100 + math.log(2), -100 - math.log1p(1e6 - 100)])
    assert log_det.item() == pytest.approx(-math.log(2) - math.log1p(1e6 - 100))


def test_slope_is_one_on_both_sides_of_tau_and_the_second_derivative_jumps():
    for x, second in ((99.999999, 0.0), (100.000001, -1.0)):
        point = torch.tensor([x], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(layer(100.0)(point)[0].sum(), point, create_graph=True)
        assert slope.item() == pytest.approx(1.0, abs=1e-5)
        curvature = torch.autograd.grad(slope.sum(), point)[0].item() if slope.requires_grad else 0.0
        assert curvature == pytest.approx(second, abs=1e-5)


def test_just_beyond_tau_no_digit_is_lost():
    excess = torch.tensor([2.0**-40], dtype=torch.float64)
    y, log_det = layer(1.0)(1.0 + excess)
    assert (y - 1.0).item() == pytest.approx(excess.item(), rel=1e-3)  # rounded to the spacing of numbers at 1
    assert -log_det.item() == pytest.approx(math.log1p(excess.item()), rel=1e-15)


def test_every_finite_number_has_a_finite_image():
    largest = torch.finfo(torch.float64).max
    y, log_det = layer(100.0)(torch.tensor([[largest], [-largest]], dtype=torch.float64))
    assert y[0].item() == pytest.approx(100 + math.log(largest))
    assert bool((y[0] == -y[1]).all())
    assert bool(log_det.isfinite().all())


def test_tau_must_be_positive():
    with pytest.raises(ValueError, match="tau: expected a value > 0"):
        diffeo.build("bijector", {"loft": {"tau": 0.0}}, shape=(2,))
