"""The mixture of logistics: exact values, tails, and an inverse that is right where it is hard."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import diffeo
from diffeo.data_initialized import armed
from diffeo_vflow import root_between

DOUBLE = torch.float64
MARGINS = (0.0, 0.05)


def transform(*, components: int = 4, **fields: Any) -> Any:
    return diffeo.build("elementwise", {"mixture_logistic": {"components": components, **fields}}).double()


def draw(size: int, components: int, *, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Points of the size that data have, and parameters of a given size."""
    generator = torch.Generator().manual_seed(0)
    x = 1.5 * torch.randn(size, generator=generator, dtype=DOUBLE)
    return x, scale * torch.randn(2 + 3 * components, size, generator=generator, dtype=DOUBLE)


def test_one_component_is_affine():
    mean, log_scale, raw, shift = 0.7, -0.4, 0.3, -1.2
    params = torch.tensor([raw, shift, 5.0, mean, log_scale], dtype=DOUBLE)[:, None]
    x = torch.linspace(-30.0, 30.0, 7, dtype=DOUBLE)
    y, log_derivative = transform(components=1)(x, params.expand(-1, 7))
    slope = torch.tensor(raw, dtype=DOUBLE).tanh() - log_scale
    torch.testing.assert_close(y, (x - mean) * slope.exp() + shift)
    torch.testing.assert_close(log_derivative, slope.expand(7))


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("scale", ["exp", {"tanh": {"bound": 1.0}}])
def test_it_is_the_formula(margin, scale):
    x, params = draw(500, 3)
    raw, shift = params[:2]
    logits, means, log_scales = params[2:].reshape(3, 3, -1)
    mass = (logits.softmax(0) * torch.sigmoid((x - means) / log_scales.exp())).sum(0)
    log_scale = raw if scale == "exp" else raw.tanh()
    expected = torch.logit(margin + (1 - 2 * margin) * mass) * log_scale.exp() + shift
    torch.testing.assert_close(transform(components=3, margin=margin, scale=scale)(x, params)[0], expected)


@pytest.mark.parametrize("margin", MARGINS)
def test_the_log_derivative_is_that_of_autograd_and_of_differences(margin):
    x, params = draw(500, 4)
    x.requires_grad_()
    mixture = transform(margin=margin)
    y, log_derivative = mixture(x, params)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_derivative, slope.log())
    step = 1e-5
    with torch.no_grad():
        rise = mixture(x + step, params)[0] - mixture(x - step, params)[0]
    torch.testing.assert_close(rise / (2 * step), slope, rtol=1e-5, atol=1e-9)


def check_inverse(mixture: Any, x: Tensor, params: Tensor) -> Tensor:
    """Data come back to 1e-6; where rounding y alone moves x by more than that, y comes back to rounding. Returns where x does."""
    y, log_derivative = mixture(x, params)
    back, log_derivative_back = mixture.inverse(y, params)
    rounding = torch.finfo(DOUBLE).eps * (1 + y.abs() + params[1].abs())
    clipped = mixture.clipped(y, params)
    assert bool(((mixture(back, params)[0] - y).abs() <= 16 * rounding)[~clipped].all())
    sharp = (rounding * (-log_derivative).exp() < 1e-8) & ~clipped
    assert bool((back - x).abs()[sharp].max() < 1e-6)
    assert bool((log_derivative + log_derivative_back).abs()[sharp].max() < 1e-5)
    return sharp


@pytest.mark.parametrize("components", [1, 4, 32])
@pytest.mark.parametrize(("scale", "share"), [(0.1, 1.0), (2.0, 0.8), (10.0, 0.3)])
@pytest.mark.parametrize("margin", MARGINS)
def test_data_come_back_as_far_as_float64_tells_them_apart(components, scale, share, margin):
    x, params = draw(4000, components, scale=scale)
    mixture = transform(components=components, margin=margin)
    assert float(check_inverse(mixture, x, params).double().mean()) >= share


@pytest.mark.parametrize("margin", MARGINS)
def test_a_coupling_with_weights_times_20_brings_data_back(margin):
    spec = {
        "coupling": {
            "split": "column",
            "transform": {"mixture_logistic": {"components": 8, "margin": margin}},
            "network": {"gated_conv_attention": {"channels": 8, "blocks": 2, "dropout": 0.0}},
        }
    }
    torch.manual_seed(0)
    layer: Any = diffeo.build("bijector", spec, shape=(3, 8, 8)).double()
    x = torch.randn(8, 3, 8, 8, dtype=DOUBLE)
    with armed(layer), torch.no_grad():
        layer(x)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(20.0 if parameter.dim() > 1 else 1.0)
        kept, changed = layer.split.part(x)
        check_inverse(layer.transform, changed, layer.params(kept))
        back, _ = layer.inverse(layer(x)[0])
    assert float((back - x).abs().max()) < 1e-6


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_finite_far_out(margin, dtype):
    _, params = draw(6, 4, scale=3.0)
    x = torch.tensor([-1e6, -1e3, -50.0, 50.0, 1e3, 1e6], dtype=dtype, requires_grad=True)
    params = params.to(dtype).requires_grad_()
    mixture = transform(margin=margin).to(dtype)
    for results in (mixture(x, params), mixture.inverse(x, params)):
        assert all(bool(value.isfinite().all()) for value in results)
        gradients = torch.autograd.grad(sum(value.sum() for value in results), (x, params))
        assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_the_gradient_of_the_inverse_is_that_of_the_implicit_function():
    """x(y, theta) with T(x, theta) = y:  dx/dtheta = -(dT/dtheta) / (dT/dx),  dx/dy = 1 / (dT/dx)."""
    mixture = transform()
    x, params = draw(50, 4)
    x.requires_grad_()
    params.requires_grad_()
    forward, _ = mixture(x, params)
    by_x, by_params = torch.autograd.grad(forward.sum(), (x, params))
    y = forward.detach().requires_grad_()
    again, _ = mixture.inverse(y, params)
    by_y, implicit = torch.autograd.grad(again.sum(), (y, params))
    torch.testing.assert_close(by_y, 1 / by_x)
    torch.testing.assert_close(implicit, -by_params / by_x)


def test_what_lies_outside_a_bounded_image_is_clipped_to_its_end_and_told():
    mixture = transform(margin=0.05)
    _, params = draw(200, 4)
    log_scale, shift = params[0].tanh(), params[1]
    end = torch.log(torch.tensor(19.0, dtype=DOUBLE)) * log_scale.exp()
    for share, outside in ((0.99, False), (1.01, True), (-0.99, False), (-1.01, True)):
        assert bool((mixture.clipped(shift + share * end, params) == outside).all())
    far, farther = (mixture.inverse(shift + factor * end, params)[0] for factor in (1.5, 3.0))
    assert torch.equal(far, farther)
    y, _ = mixture(far, params)
    torch.testing.assert_close(y, shift + end)
    assert not bool(transform().clipped(shift + 9 * end, params).any())


def test_float32_brings_data_back():
    x, params = draw(2000, 8, scale=0.5)
    mixture = transform(components=8).float()
    y, _ = mixture(x.float(), params.float())
    back, _ = mixture.inverse(y, params.float())
    torch.testing.assert_close(back, x.float(), atol=1e-4, rtol=1e-4)


def test_wide_components_do_not_make_the_root_finder_lose_the_narrow_ones():
    """A bracket as wide as exp(20), a root of order 1."""
    params = torch.zeros(2 + 3 * 2, 1, dtype=DOUBLE)
    params[-2:, 0] = torch.tensor([40.0, -3.0], dtype=DOUBLE)
    x = torch.tensor([0.3], dtype=DOUBLE)
    mixture = transform(components=2)
    y, _ = mixture(x, params)
    torch.testing.assert_close(mixture.inverse(y, params)[0], x, atol=1e-8, rtol=0.0)


def test_the_root_finder_evaluates_as_often_whatever_the_function():
    calls: list[int] = []

    def function(x: Tensor) -> Tensor:
        calls.append(1)
        return torch.stack([x[0] - 1, x[1] ** 3 - 8, F.softsign(50 * (x[2] + 3)), x[3]])

    low, high = torch.tensor([[-100.0, -100.0, -100.0, 0.0], [100.0, 500.0, 1e3, 1.0]], dtype=DOUBLE)
    root = root_between(function, low, high, iterations=30)
    torch.testing.assert_close(root, torch.tensor([1.0, 2.0, -3.0, 0.0], dtype=DOUBLE), atol=1e-9, rtol=0.0)
    assert len(calls) == 32


def test_a_bad_config_is_refused():
    with pytest.raises(diffeo.SpecError, match=r"margin: expected a value >= 0 and < 0\.5; got 0\.5"):
        transform(margin=0.5)
    with pytest.raises(diffeo.SpecError, match="components: expected a value >= 1"):
        transform(components=0)
