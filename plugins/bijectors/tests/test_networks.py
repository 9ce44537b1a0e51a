"""Conditioner networks and encoders: what reaches every output, what they learn, shapes that don't fit."""

import pytest
import torch

import diffeo
from diffeo.testing import randomize

VECTOR = {"in_shape": (3,), "out_shape": (2, 5)}
IMAGE = {"in_shape": (2, 4, 6), "out_shape": (3, 4, 6)}
BATCH_NORM = {"conv_resnet": {"channels": 8, "norm": "batch"}}
CONV = {"conv_resnet": {"channels": 8, "blocks": 1}}

CASES = [
    ("mlp", VECTOR, (4,)),
    ({"mlp": {"hidden": []}}, VECTOR, (4,)),
    ("mlp", IMAGE, (2, 3)),
    ("residual_mlp", VECTOR, (4,)),
    ({"residual_mlp": {"hidden": 16, "blocks": 3, "dropout": 0.5}}, IMAGE, (4,)),
    (CONV, IMAGE, (4,)),
    (CONV, IMAGE, (1, 4, 6)),
    ({"conv_resnet": {"channels": 8, "kernel": 5}}, IMAGE, (4,)),
    (BATCH_NORM, IMAGE, (4,)),
]


def make(spec, shapes, context_shape=None):
    return diffeo.build("network", spec, **shapes, context_shape=context_shape)


@pytest.mark.parametrize(("spec", "shapes", "context_shape"), CASES)
def test_input_and_context_move_every_output(spec, shapes, context_shape):
    net = randomize(make(spec, shapes, context_shape), 0).double().eval()
    x, context = torch.randn(1, *shapes["in_shape"]).double(), torch.randn(1, *context_shape).double()
    many_x, many_contexts = torch.randn(30, *shapes["in_shape"]).double(), torch.randn(30, *context_shape).double()
    by_input = net(many_x, context=context.expand_as(many_contexts))
    by_context = net(x.expand_as(many_x), context=many_contexts)
    assert (by_input.std(0) > 0.0).all()
    assert (by_context.std(0) > 0.0).all()


@pytest.mark.parametrize(("spec", "shapes", "context_shape"), CASES)
def test_learns_a_function_of_input_and_context(spec, shapes, context_shape):
    """Thirty steps of Adam take off a quarter of the error: zeros at the end and near-zeros inside do not block them."""
    torch.manual_seed(0)
    net = make(spec, shapes, context_shape)
    x, context = torch.randn(64, *shapes["in_shape"]), torch.randn(64, *context_shape)
    target = (x.flatten(1).sum(1) + context.flatten(1).sum(1)).tanh().reshape(-1, *(1,) * len(shapes["out_shape"]))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = (net(x, context=context) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


def test_batch_norm_sees_the_batch_while_training_only():
    net = randomize(make(BATCH_NORM, IMAGE), 0)
    x = torch.randn(6, *IMAGE["in_shape"])
    alone, together = net(x[:2]), net(x)[:2]
    assert not torch.allclose(alone, together)
    net.eval()
    torch.testing.assert_close(net(x[:2]), net(x)[:2])


def test_dropout_draws_while_training_only():
    net = randomize(make({"residual_mlp": {"dropout": 0.5}}, VECTOR), 0)
    x = torch.randn(4, 3)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize(
    ("shapes", "context_shape", "message"),
    [
        ({"in_shape": (3,), "out_shape": (3,)}, None, r"expected images of shape \(C, H, W\).*got \(3,\) and \(3,\)"),
        ({"in_shape": (1, 4, 4), "out_shape": (1, 2, 2)}, None, "of the same height and width"),
        (IMAGE, (1, 2, 2), r"expected a context of shape \(F,\) or \(C, 4, 6\); got \(1, 2, 2\)"),
        (IMAGE, (4, 6), r"expected a context of shape \(F,\) or \(C, 4, 6\); got \(4, 6\)"),
    ],
)
def test_conv_resnet_refuses_what_is_not_an_image(shapes, context_shape, message):
    with pytest.raises(diffeo.BuildError, match=message):
        make("conv_resnet", shapes, context_shape)


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel: expected an odd number"):
        make({"conv_resnet": {"kernel": 4}}, IMAGE)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [("mlp_encoder", (3,)), ("mlp_encoder", (2, 3)), ("conv_encoder", (1, 8, 8)), ("conv_encoder", (2, 5, 1))],
)
def test_encoders_map_any_batch_to_features(spec, shape):
    encoder = diffeo.build("encoder", {spec: {"out": 7}}, shape=shape)
    assert encoder.out_shape == (7,)
    for batch in ((), (4,), (2, 3), (0,)):
        assert encoder(torch.randn(*batch, *shape)).shape == (*batch, 7)
    assert (encoder(torch.randn(50, *shape)).std(0) > 0.0).all()


def test_conv_encoder_refuses_vectors():
    with pytest.raises(diffeo.BuildError, match=r"expected an image of shape \(C, H, W\); got \(3,\)"):
        diffeo.build("encoder", "conv_encoder", shape=(3,))
