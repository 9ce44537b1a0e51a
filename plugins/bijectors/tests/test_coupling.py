"""Couplings, their elementwise transforms and scale functions: exact values and what plugins build on."""

import math

import pytest
import torch

import diffeo
from diffeo.testing import randomize

SCALES = ["exp", "tanh", "sigmoid"]


def coupling(shape: tuple[int, ...], *, context_shape: tuple[int, ...] | None = None, **fields):
    return diffeo.build("bijector", {"coupling": fields}, shape=shape, context_shape=context_shape)


@pytest.mark.parametrize("transform", ["additive", "affine", "rq_spline"])
@pytest.mark.parametrize("layer", ["coupling", "autoregressive"])
@pytest.mark.parametrize("shape", [(5,), (2, 4, 4)])
def test_a_new_layer_is_the_identity(layer, transform, shape):
    fields = {"transform": transform} | ({"split": "channel"} if layer == "coupling" else {})
    bijector = diffeo.build("bijector", {layer: fields}, shape=shape, context_shape=(3,)).double()
    x, context = torch.randn(6, *shape).double(), torch.randn(6, 3).double()
    for direction in (bijector, bijector.inverse):
        y, log_det = direction(x, context=context)
        torch.testing.assert_close(y, x, rtol=0.0, atol=1e-14)
        torch.testing.assert_close(log_det, torch.zeros(6).double(), rtol=0.0, atol=1e-13)


def test_affine_coupling_against_its_formula():
    layer = randomize(coupling((4,), transform={"affine": {"scale": "exp"}}), 0).double()
    x = torch.randn(3, 4).double()
    out = layer.network(x[:, :2])
    log_scale, shift = out[:, :2], out[:, 2:]
    y, log_det = layer(x)
    assert torch.equal(y[:, :2], x[:, :2])
    torch.testing.assert_close(y[:, 2:], x[:, 2:] * log_scale.exp() + shift)
    torch.testing.assert_close(log_det, log_scale.sum(1))


@pytest.mark.parametrize("split", ["half", "channel"])
def test_params_are_what_the_transform_takes(split):
    """Split, transform, network and params are enough to write the layer down once more."""
    layer = randomize(coupling((5,), context_shape=(2,), split=split, transform="rq_spline"), 0)
    x, context = torch.randn(2, 3, 5), torch.randn(2, 3, 2)
    kept, changed = layer.split.part(x)
    params = layer.params(kept, context=context)
    assert params.shape == (layer.transform.num_params, 2, 3, 2)
    new, log_det = layer.transform(changed, params)
    y, total = layer(x, context=context)
    assert torch.equal(y, layer.split.join(kept, new))
    assert torch.equal(total, log_det.sum(-1))


def test_params_of_an_image_put_the_parameters_of_an_entry_together():
    layer = coupling((4, 2, 2), split="channel", transform="affine", network={"conv_resnet": {"channels": 4}})
    with torch.no_grad():
        layer.network.output_layer.bias.copy_(torch.tensor([1.0, 2.0, 30.0, 40.0]))
    params = layer.params(torch.zeros(1, 2, 2, 2))
    assert params[:, 0, :, 0, 0].tolist() == [[1.0, 2.0], [30.0, 40.0]]


def test_the_conditioner_does_not_see_the_changed_part():
    layer = randomize(coupling((6,), split="alternate"), 0)
    x = torch.randn(1, 6)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x)[0, :, 0]
    kept, changed = [0, 2, 4], [1, 3, 5]
    assert torch.equal(jacobian[kept][:, kept], torch.eye(3))
    assert not jacobian[kept][:, changed].any()
    assert torch.equal(jacobian[changed][:, changed], torch.diag(jacobian[changed][:, changed].diag()))
    assert (jacobian[changed][:, kept] != 0.0).all()


def test_a_wrong_input_shape_is_refused():
    layer = coupling((4,))
    with pytest.raises(ValueError, match=r"expected an input of shape \(\*B, 4\); got \(3, 3\)"):
        layer(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="expected a context"):
        coupling((4,), context_shape=(2,))(torch.zeros(3, 4))


@pytest.mark.parametrize("scale", SCALES)
def test_scale_functions_are_zero_at_zero_and_increase(scale):
    function = diffeo.build("scale", scale)
    raw = torch.linspace(-5.0, 5.0, 101, dtype=torch.float64, requires_grad=True)
    value = function(raw)
    assert abs(value[50].item()) < 1e-15
    (slope,) = torch.autograd.grad(value.sum(), raw)
    assert (slope > 0.0).all()


def test_scale_functions_against_their_formulas():
    raw = torch.linspace(-3.0, 3.0, 7, dtype=torch.float64)
    values = {scale: diffeo.build("scale", scale)(raw).exp() for scale in SCALES}
    torch.testing.assert_close(values["exp"], raw.exp())
    torch.testing.assert_close(values["tanh"], (2.0 * torch.tanh(raw / 2.0)).exp())
    torch.testing.assert_close(values["sigmoid"], torch.sigmoid(raw + 2.0) * (1.0 + math.exp(-2.0)))
    usual = diffeo.build("scale", {"sigmoid": {"centered": False}})
    torch.testing.assert_close(usual(raw), torch.nn.functional.logsigmoid(raw + 2.0))


@pytest.mark.parametrize("bound", [0.1, 1.0, 2.0])
def test_tanh_is_0_at_0_and_right_to_the_rounding_of_its_bound(bound):
    function = diffeo.build("scale", {"tanh": {"bound": bound}})
    raw = torch.linspace(-20.0, 20.0, 100_001) * bound
    exact = bound * torch.tanh(raw.double() / bound)
    assert (function(raw) - exact).abs().max() <= 3 * torch.finfo(torch.float32).eps * bound
    assert function(torch.zeros(3)).tolist() == [0.0] * 3


@pytest.mark.parametrize("scale", SCALES)
def test_scale_functions_far_out(scale):
    raw = torch.tensor([-1e4, -50.0, 50.0, 1e4], requires_grad=True)
    value = diffeo.build("scale", scale)(raw)
    (slope,) = torch.autograd.grad(value.sum(), raw)
    assert torch.isfinite(value).all()
    assert torch.isfinite(slope).all()
    assert diffeo.build("scale", scale)(torch.tensor(torch.nan)).isnan()
    if scale == "tanh":
        assert value.abs().max() <= 2.0
    if scale == "sigmoid":
        assert value.max() <= math.log1p(math.exp(-2.0)) + 1e-6


def test_the_default_scale_keeps_deep_flows_finite():
    """Conditioner outputs of about 50: exp alone would overflow in the second layer."""
    steps = [{"coupling": {"network": {"mlp": {"hidden": [32]}}}}, "reverse"]
    flow = randomize(diffeo.build("bijector", {"repeat": {"times": 8, "steps": steps}}, shape=(6,)), 0)
    for parameter in (p for n, p in flow.named_parameters() if "output_layer" in n):
        parameter.data *= 50.0
    x = torch.randn(64, 6)
    for direction in (flow, flow.inverse):
        y, log_det = direction(x)
        assert torch.isfinite(y).all()
        assert torch.isfinite(log_det).all()
