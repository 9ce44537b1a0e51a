"""What stands at the front of a flow: exact values, both ends of each domain, errors."""

import math
from typing import Any

import pytest
import torch

import diffeo


def build(spec: Any, *shape: int) -> Any:
    return diffeo.build("bijector", spec, shape=shape)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_squeeze_orders_channels_by_channel_then_offset(factor: int) -> None:
    layer = build({"squeeze": {"factor": factor}}, 2, 6, 12)
    x = torch.arange(144.0).reshape(2, 6, 12)
    y, log_det = layer(x)
    for c in range(2):
        for dy in range(factor):
            for dx in range(factor):
                channel = c * factor * factor + dy * factor + dx
                assert torch.equal(y[channel], x[c, dy::factor, dx::factor])
    assert log_det == 0


def test_squeeze_equals_pixel_unshuffle() -> None:
    x = torch.randn(5, 3, 4, 6)
    assert torch.equal(build("squeeze", 3, 4, 6)(x)[0], torch.nn.functional.pixel_unshuffle(x, 2))


def test_squeeze_by_offset_keeps_the_channels_of_a_pixel_together() -> None:
    layer = build({"squeeze": {"order": "offset"}}, 3, 4, 6)
    x = torch.randn(3, 4, 6)
    y, _ = layer(x)
    for dy in range(2):
        for dx in range(2):
            first = (2 * dy + dx) * 3
            assert torch.equal(y[first : first + 3], x[:, dy::2, dx::2])
    assert torch.equal(layer.inverse(y)[0], x)


def test_squeeze_keeps_an_empty_batch_empty_in_the_new_shape() -> None:
    assert build("squeeze", 1, 4, 4)(torch.zeros(0, 1, 4, 4))[0].shape == (0, 4, 2, 2)


def test_reshape_is_row_major() -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert torch.equal(build("reshape", 2, 3, 4)(x)[0], torch.arange(24.0).reshape(1, 24))
    assert build({"reshape": {"shape": [4, -1]}}, 2, 3, 4).out_shape == (4, 6)
    assert build({"reshape": {"shape": []}}, 1).out_shape == ()


def test_scale_shift_to_pixel_units_costs_eight_bits_per_dimension() -> None:
    layer = build({"scale_shift": {"scale": 0.00390625, "shift": -0.5, "trainable": False}}, 1, 4, 4)
    x = torch.arange(0.0, 256.0, 16.0).reshape(1, 4, 4)
    y, log_det = layer(x)
    assert torch.equal(y, x / 256 - 0.5)
    assert torch.equal(layer.inverse(y)[0], x)
    torch.testing.assert_close(-log_det / (16 * math.log(2)), torch.tensor(8.0))
    assert layer.state_dict() == {}
    assert not list(layer.parameters())


def test_scale_shift_is_per_channel_and_trained() -> None:
    layer = build({"scale_shift": {"scale": [2.0, 0.5], "shift": [1.0, -1.0]}}, 2, 3)
    x = torch.randn(4, 2, 3)
    y, log_det = layer(x)
    torch.testing.assert_close(y, x * torch.tensor([[2.0], [0.5]]) + torch.tensor([[1.0], [-1.0]]))
    torch.testing.assert_close(log_det, torch.zeros(4), atol=1e-6, rtol=0)
    assert {name: tuple(value.shape) for name, value in layer.named_parameters()} == {
        "log_scale": (2, 1),
        "shift": (2, 1),
    }


def test_a_fixed_scale_may_be_negative() -> None:
    layer = build({"scale_shift": {"scale": -4.0, "trainable": False}}, 3)
    y, log_det = layer(torch.ones(3))
    assert y.tolist() == [-4.0, -4.0, -4.0]
    torch.testing.assert_close(log_det, torch.tensor(3 * math.log(4.0)))


@pytest.mark.parametrize("alpha", [0.0, 1e-6, 0.05])
def test_logit_equals_torch_logit_inside(alpha: float) -> None:
    layer = build({"logit": {"alpha": alpha}}, 1)
    x = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)[:, None]
    torch.testing.assert_close(layer(x)[0], torch.logit(alpha + (1 - 2 * alpha) * x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [0.0, 1e-6, 0.05])
def test_logit_is_finite_and_symmetric_at_and_beyond_the_edges(alpha: float, dtype: torch.dtype) -> None:
    layer = build({"logit": {"alpha": alpha}}, 1)
    low = torch.tensor([[0.0], [-0.5]], dtype=dtype, requires_grad=True)
    high = torch.tensor([[1.0], [1.5]], dtype=dtype, requires_grad=True)
    (y_low, ld_low), (y_high, ld_high) = layer(low), layer(high)
    torch.testing.assert_close(y_low, -y_high)
    torch.testing.assert_close(ld_low, ld_high)
    for value in (y_low, y_high, ld_low, ld_high):
        assert value.isfinite().all()
    (y_low.sum() + y_high.sum() + ld_low.sum() + ld_high.sum()).backward()
    assert low.grad is not None
    assert high.grad is not None
    assert low.grad.isfinite().all()
    assert high.grad.isfinite().all()


def test_logit_comes_back_into_the_interval_from_far_out() -> None:
    layer = build({"logit": {"alpha": 0.05}}, 1)
    x, log_det = layer.inverse(torch.tensor([[-1e4], [0.0], [1e4]]))
    torch.testing.assert_close(x, torch.tensor([[-0.05 / 0.9], [0.5], [0.95 / 0.9]]))
    assert log_det.isfinite().all()


def test_softplus_is_exact_over_the_whole_range() -> None:
    layer = build("softplus", 1)
    y = torch.tensor([-600.0, -40.0, -1.0, 0.0, 1.0, 19.9, 20.1, 40.0, 600.0], dtype=torch.float64)[:, None]
    x, log_det = layer.inverse(y)
    torch.testing.assert_close(x, torch.logaddexp(y, torch.zeros_like(y)), atol=0, rtol=1e-14)
    back, log_det_back = layer(x)
    torch.testing.assert_close(back, y, atol=1e-13, rtol=1e-13)
    torch.testing.assert_close(log_det, -log_det_back, atol=1e-13, rtol=1e-13)


def test_softplus_of_some_entries_passes_the_others() -> None:
    y = torch.tensor([[-3.0, -3.0, 0.5], [2.0, 2.0, -7.0]], dtype=torch.float64, requires_grad=True)
    x, log_det = build({"softplus": {"entries": [1]}}, 3).inverse(y)
    whole, _ = build("softplus", 3).inverse(y)
    assert torch.equal(x, torch.stack([y[:, 0], whole[:, 1], y[:, 2]], dim=-1))
    assert torch.allclose(log_det, torch.nn.functional.logsigmoid(y[:, 1]), rtol=1e-15)
    back, _ = build({"softplus": {"entries": [1]}}, 3)(x.detach())
    assert torch.allclose(back, y, rtol=1e-14)
    (gradient,) = torch.autograd.grad(log_det.sum(), y)
    assert torch.equal(gradient[:, [0, 2]], torch.zeros(2, 2, dtype=torch.float64))


def test_softplus_takes_no_entry_beyond_the_event() -> None:
    with pytest.raises(ValueError, match=r"expected entries below 3, for shape \(3,\); got 5"):
        build({"softplus": {"entries": [0, 5]}}, 3)


def test_softplus_is_finite_at_and_below_zero() -> None:
    layer = build("softplus", 1)
    x = torch.tensor([[0.0], [-3.0]], requires_grad=True)
    y, log_det = layer(x)
    (y.sum() + log_det.sum()).backward()
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    assert torch.equal(x.grad, torch.zeros(2, 1))


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ("squeeze", (3, 4, 5), r"expected sides divisible by 2; got shape \(3, 4, 5\)"),
        ("squeeze", (16,), r"expected an image of shape \(C, H, W\); got \(16,\)"),
        ({"reshape": {"shape": [5, 5]}}, (24,), r"expected a shape with 24 entries, as \(24,\) has; got \(5, 5\)"),
        ({"reshape": {"shape": [-1, -1]}}, (24,), r"expected a shape with 24 entries, as \(24,\) has; got \(-1, -1\)"),
        ({"reshape": {"shape": [0, -1]}}, (24,), r"expected a shape with 24 entries, as \(24,\) has; got \(0, -1\)"),
        ({"scale_shift": {"scale": [1.0, 2.0]}}, (3,), r"expected one scale or 3, for shape \(3,\); got 2"),
        ({"scale_shift": {"shift": [1.0]}}, (3,), r"expected one shift or 3, for shape \(3,\); got 1"),
        ({"scale_shift": {"scale": -1.0}}, (3,), "expected a positive scale where trainable is true; got -1"),
        ({"scale_shift": {"scale": 0.0, "trainable": False}}, (3,), "expected a scale other than 0; got 0"),
        ({"logit": {"alpha": 0.5}}, (3,), "expected a value >= 0 and < 0.5; got 0.5"),
    ],
)
def test_what_does_not_fit_is_refused(spec: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(spec, *shape)
