"""The rational-quadratic spline: exact values, both ends of the box, and numbers that stay finite."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import diffeo
from diffeo_bijectors import RQSpline, rational_quadratic, rational_quadratic_inverse

BINS, BOUND = 8, 5.0
EDGES = [-BOUND, BOUND]


def spline(**fields: Any) -> Any:
    return diffeo.build("elementwise", {"rq_spline": {"bins": BINS, **fields}})


def draw(
    factor: float, *, shape: tuple[int, ...] = (400, 7), dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Inputs inside, at and beyond the box, and raw parameters of the given size."""
    torch.manual_seed(0)
    x = 3.0 * torch.randn(shape, dtype=dtype)
    beyond = torch.tensor([-7.0, 7.0, 1e6, *EDGES, 0.0], dtype=dtype)
    x = torch.cat([x.flatten()[: -len(beyond)], beyond]).reshape(shape)
    return x, factor * torch.randn(3 * BINS - 1, *shape, dtype=dtype)


def test_raw_zeros_are_the_identity():
    x, params = draw(0.0)
    for function in (rational_quadratic, rational_quadratic_inverse):
        y, log_det = function(x, params)
        torch.testing.assert_close(y, x, rtol=0.0, atol=1e-14)
        torch.testing.assert_close(log_det, torch.zeros_like(x), rtol=0.0, atol=1e-14)


def test_two_bins_against_the_formula():
    """Knots (-1, -1), (x1, y1), (1, 1) with a derivative d in the middle: eq. 4 of Durkan et al. written out for the left bin."""
    raw = torch.tensor([0.3, -0.2, -0.4, 0.5, 0.7], dtype=torch.float64)
    smallest = 1e-3
    width, height = (2.0 * (smallest + (1 - 2 * smallest) * torch.softmax(pair, 0)[0]) for pair in (raw[:2], raw[2:4]))
    middle = smallest + torch.log1p(torch.exp(raw[4]) * math.expm1(1 - smallest))
    x = torch.linspace(-1.0, -1.0 + width.item(), 9, dtype=torch.float64)[:-1]
    xi, slope = (x + 1.0) / width, height / width
    rise = (slope * xi**2 + xi * (1 - xi)) / (slope + (1 + middle - 2 * slope) * xi * (1 - xi))
    y, _ = rational_quadratic(x, raw[:, None].expand(-1, 8), bound=1.0)
    torch.testing.assert_close(y, -1.0 + height * rise, rtol=0.0, atol=1e-14)


def test_knots_map_to_knots():
    torch.manual_seed(1)
    params = torch.randn(3 * BINS - 1, 1, dtype=torch.float64)
    sizes = 2.0 * BOUND * (1e-3 + (1.0 - BINS * 1e-3) * torch.softmax(params[: 2 * BINS].reshape(2, BINS), 1))
    knots = torch.cumsum(sizes, 1)[:, :-1] - BOUND
    derivatives = 1e-3 + torch.log1p(params[2 * BINS :, 0].exp() * math.expm1(1 - 1e-3))
    y, log_det = rational_quadratic(knots[0], params.expand(-1, BINS - 1))
    torch.testing.assert_close(y, knots[1], rtol=0.0, atol=1e-13)
    torch.testing.assert_close(log_det, derivatives.log(), rtol=0.0, atol=1e-12)


def test_temperature_divides_raw_widths_and_heights_only():
    x, params = draw(3.0)
    divided = torch.cat([params[: 2 * BINS] / 11.3, params[2 * BINS :]])
    warm, plain = spline(temperature=11.3), spline()
    for there, back in ((warm.forward, plain.forward), (warm.inverse, plain.inverse)):
        for got, expected in zip(there(x, params), back(x, divided), strict=True):
            torch.testing.assert_close(got, expected, rtol=0.0, atol=1e-12)


def test_a_temperature_of_0_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        spline(temperature=0.0)


def test_identity_outside_the_box_and_smooth_at_its_edge():
    x, params = draw(3.0)
    outside = x.abs() > BOUND
    assert outside.any()
    for function in (rational_quadratic, rational_quadratic_inverse):
        y, log_det = function(x, params)
        assert torch.equal(y[outside], x[outside])
        assert torch.equal(log_det[outside], torch.zeros_like(log_det[outside]))
        edge = torch.tensor(EDGES, dtype=torch.float64)
        y, log_det = function(edge, params[:, 0, :2])
        torch.testing.assert_close(y, edge, rtol=0.0, atol=1e-13)
        torch.testing.assert_close(log_det, torch.zeros(2, dtype=torch.float64), rtol=0.0, atol=1e-11)


@pytest.mark.parametrize("factor", [1.0, 50.0])
@pytest.mark.parametrize("function", [rational_quadratic, rational_quadratic_inverse])
def test_log_det_against_autograd(function, factor):
    x, params = draw(factor)
    x.requires_grad_()
    y, log_det = function(x, params)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_det, slope.log(), rtol=0.0, atol=1e-9 * factor)


@pytest.mark.parametrize(("factor", "tolerance"), [(1.0, 1e-12), (50.0, 1e-6)])
def test_round_trip_of_sharp_splines_in_float64(factor, tolerance):
    x, params = draw(factor)
    y, log_det = rational_quadratic(x, params)
    back, log_det_back = rational_quadratic_inverse(y, params)
    torch.testing.assert_close(back, x, rtol=0.0, atol=tolerance)
    torch.testing.assert_close(log_det_back, -log_det, rtol=0.0, atol=100 * tolerance)
    again, _ = rational_quadratic(rational_quadratic_inverse(x, params)[0], params)
    torch.testing.assert_close(again, x, rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("function", [rational_quadratic, rational_quadratic_inverse])
@pytest.mark.parametrize("factor", [0.0, 1.0, 50.0, 1000.0])
def test_values_and_gradients_stay_finite_in_float32(function, factor):
    x, params = draw(factor, dtype=torch.float32)
    x.requires_grad_(), params.requires_grad_()
    y, log_det = function(x, params)
    gradients = torch.autograd.grad(y.sum() + log_det.sum(), [x, params])
    for name, value in {"y": y, "log_det": log_det, "grad x": gradients[0], "grad params": gradients[1]}.items():
        assert torch.isfinite(value).all(), name


@pytest.mark.parametrize("function", [rational_quadratic, rational_quadratic_inverse])
def test_gradient_at_knots_and_edges_is_finite(function):
    """Zero parameters put the knots at multiples of 1.25; raw heights of a bin far below the others make it flat."""
    x = torch.arange(-BOUND, BOUND + 1.25, 1.25).requires_grad_()
    for sharp in (0.0, 1e4):
        params = torch.zeros(3 * BINS - 1, len(x))
        params[BINS] = -sharp
        params.requires_grad_()
        y, log_det = function(x, params)
        for gradient in torch.autograd.grad(y.sum() + log_det.sum(), [x, params]):
            assert torch.isfinite(gradient).all()


def test_nan_in_the_parameters_stays_nan():
    x, params = torch.zeros(3), torch.zeros(3 * BINS - 1, 3)
    params[:, 1] = torch.nan
    for function in (rational_quadratic, rational_quadratic_inverse):
        y, log_det = function(x, params)
        assert y.isnan().tolist() == log_det.isnan().tolist() == [False, True, False]


def test_gradients_are_right():
    """Against finite differences, away from knots, where the log-derivative has a kink."""
    torch.manual_seed(2)
    x = torch.tensor([-6.0, -4.2, -0.3, 0.9, 3.1], dtype=torch.float64, requires_grad=True)
    params = torch.randn(3 * 3 - 1, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rational_quadratic, (x, params))
    assert torch.autograd.gradcheck(rational_quadratic_inverse, (x, params))
    assert torch.autograd.gradgradcheck(rational_quadratic, (x, params))


def test_round_trip_of_eight_layers_in_float32():
    torch.manual_seed(0)
    layer = [{"coupling": {"transform": "rq_spline", "network": {"mlp": {"hidden": [64]}}}}, "reverse"]
    flow = diffeo.build("bijector", {"repeat": {"times": 8, "steps": layer}}, shape=(16,))
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.randn(512, 16)
    y, _ = flow(x)
    assert (y - x).abs().mean() > 0.1
    assert (flow.inverse(y)[0] - x).abs().max() < 1e-4


def test_any_shape_and_unequal_smallest_sizes():
    transform = spline(min_width=0.02, min_height=0.005, min_derivative=0.01)
    for shape in ((), (0,), (3,), (2, 0, 3), (2, 3, 4, 5)):
        x, params = torch.randn(shape).double(), torch.randn(transform.num_params, *shape).double()
        y, log_det = transform(x, params)
        assert y.shape == log_det.shape == x.shape
        torch.testing.assert_close(transform.inverse(y, params)[0], x, rtol=0.0, atol=1e-10)


def test_too_large_smallest_sizes_are_refused():
    with pytest.raises(ValueError, match=r"min_width: expected a value < 1 / bins = 0\.125; got 0\.2"):
        RQSpline(bins=8, min_width=0.2)
    with pytest.raises(ValueError, match="min_height"):
        RQSpline(bins=1000, min_height=1e-3, min_width=1e-4)
