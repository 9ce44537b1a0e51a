"""Conditioner networks and encoders: what reaches every output, what they learn, shapes that don't fit."""

import copy

import pytest
import torch
from torch import nn

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
    ({"separate_mlps": {"hidden": [32]}}, VECTOR, (4,)),
    ({"separate_mlps": {"networks": 3}}, IMAGE, (2, 3)),
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


IMAGE_FLOW = {
    "flow": {
        "steps": [
            "squeeze",
            {
                "repeat": {
                    "times": 2,
                    "steps": [
                        "conv1x1",
                        {
                            "coupling": {
                                "split": "channel",
                                "network": BATCH_NORM,
                                "transform": {"rq_spline": {"bins": 4}},
                            }
                        },
                    ],
                }
            },
        ]
    }
}


@pytest.fixture
def image_flow():
    torch.manual_seed(0)
    return randomize(diffeo.build("model", IMAGE_FLOW, shape=(1, 4, 4)), seed=1, scale=0.3).double().train()


@pytest.fixture
def images():
    return torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(2)).double()


def decoded_among_others(flow, images):
    """What all rows are decoded to after the latter half of them has lost three quarters of its channels."""
    return flow.decode(partly_dropped(flow.encode_data(images).z))


def replayed(flow, images):
    """The same with the statistics of the way there."""
    with diffeo.recorded_statistics(flow):
        z = partly_dropped(flow.encode_data(images).z)
        with diffeo.replayed_statistics(flow):
            return flow.decode(z)


def partly_dropped(z):
    kept = torch.ones_like(z)
    kept[len(z) // 2 :, 1:] = 0
    return z * kept


def test_replayed_batch_norm_decodes_whole_rows_exactly(image_flow, images):
    half = len(images) // 2
    torch.testing.assert_close(replayed(image_flow, images)[:half], images[:half], rtol=0.0, atol=1e-10)
    assert (decoded_among_others(image_flow, images)[:half] - images[:half]).abs().max() > 1e-3


@pytest.mark.parametrize(("step", "times"), [(replayed, 1), (decoded_among_others, 2)])
def test_running_statistics_see_a_step_once_or_twice(step, times, image_flow, images):
    step(image_flow, images)
    counts = {int(count) for name, count in image_flow.named_buffers() if name.endswith("num_batches_tracked")}
    assert counts == {times}


def test_recorded_batch_norm_is_that_of_torch(image_flow, images):
    twin = copy.deepcopy(image_flow)
    with diffeo.recorded_statistics(image_flow):
        recorded = image_flow.encode_data(images)
    for got, expected in zip(recorded, twin.encode_data(images), strict=True):
        assert torch.equal(got, expected)
    for name, buffer in image_flow.named_buffers():
        assert torch.equal(buffer, twin.get_buffer(name)), name
    plain, layer = (
        nn.BatchNorm2d(8, eps=1e-3),
        image_flow.get_submodule("steps.1.iterations.0.1.network.blocks.0.first_norm"),
    )
    assert list(layer.state_dict()) == list(plain.state_dict())
    assert layer.eps == plain.eps
    plain.load_state_dict(layer.state_dict())
    hidden = torch.randn(6, 8, 4, 4).double()
    assert torch.equal(layer(hidden), plain.double()(hidden))


def test_gradients_of_replayed_batch_norm_against_differences(image_flow, images):
    def decoded(images, *parameters):  # they are those of the flow, moved in place
        return replayed(image_flow, images)

    assert torch.autograd.gradcheck(decoded, [images[:4].requires_grad_(), *image_flow.parameters()], fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_replayed_batch_norm_gives_the_same_again(dtype):
    layer = randomize(make(BATCH_NORM, IMAGE), 0).get_submodule("blocks.0.first_norm")
    hidden = (100 + torch.randn(6, 8, 4, 4)).to(dtype)  # statistics in bfloat16 would be off by 0.25
    with diffeo.recorded_statistics(layer):
        first = layer(hidden)
        with diffeo.replayed_statistics(layer):
            again = layer(hidden)
    assert again.dtype == first.dtype == dtype
    torch.testing.assert_close(again, first)


def test_nothing_remains_recorded(image_flow, images):
    replayed(image_flow, images)
    layers = [module for module in image_flow.modules() if isinstance(module, diffeo.BatchStatistics)]
    assert layers
    assert {(layer.recorded, layer.recording, layer.replaying) for layer in layers} == {((), False, False)}


def test_replaying_before_recording_is_refused(image_flow, images):
    with (
        pytest.raises(
            ValueError, match="expected a pass with recorded statistics before one that replays them; got none"
        ),
        diffeo.replayed_statistics(image_flow),
    ):
        image_flow.decode(images.reshape(8, 4, 2, 2))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, when it imports its compiler
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # dynamo looks at it
def test_replayed_batch_norm_may_be_compiled():
    torch.manual_seed(0)
    spec = {"coupling": {"split": "channel", "network": BATCH_NORM}}
    flow = randomize(diffeo.build("model", {"flow": {"steps": [spec]}}, shape=(4, 2, 2)), seed=1).double()
    twin, images = copy.deepcopy(flow), torch.randn(8, 4, 2, 2).double()
    compiled = torch.compile(lambda images: (replayed(flow, images) - images).square().mean(), backend="aot_eager")
    losses = [compiled(images), (replayed(twin, images) - images).square().mean()]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(*losses, rtol=0.0, atol=1e-12)
    for (name, parameter), other in zip(flow.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=0.0, atol=1e-10, msg=name)
    torch._dynamo.reset()


def test_the_last_convolution_starts_where_it_is_told():
    zero, uniform = make(CONV, IMAGE), make({"conv_resnet": {"channels": 8, "init": "uniform"}}, IMAGE)
    assert not zero.output_layer.weight.any()
    assert 0.5 / 8**0.5 < uniform.output_layer.weight.abs().max() <= 1 / 8**0.5
    assert 0.0 < uniform.output_layer.bias.abs().max() <= 1 / 8**0.5


def test_separate_networks_share_nothing_but_their_input():
    """Each computes its share of the output from weights of its own, and is the perceptron that they make."""
    net = make(
        {"separate_mlps": {"hidden": [8, 6], "init": "uniform"}}, {"in_shape": (3,), "out_shape": (4, 5)}
    ).double()
    x = torch.randn(7, 3).double()
    first, middle, last = (net.hidden[0], net.hidden[2], net.output_layer)
    for index, out in enumerate(net(x).chunk(2, 1)):
        h = (x @ first.weight[index].mT + first.bias[index]).relu()
        h = (h @ middle.weight[index].mT + middle.bias[index]).relu()
        want = (h @ last.weight[index].mT + last.bias[index]).reshape(7, 2, 5)
        torch.testing.assert_close(out, want)


def test_separate_networks_start_as_linear_layers_do():
    zero, uniform = (make({"separate_mlps": {"hidden": [50], "init": init}}, VECTOR) for init in ("zero", "uniform"))
    assert not zero.output_layer.weight.any()
    for layer, inputs in ((uniform.hidden[0], 3), (uniform.output_layer, 50)):
        assert 0.5 / inputs**0.5 < layer.weight.abs().max() <= 1 / inputs**0.5
        assert 0.0 < layer.bias.abs().max() <= 1 / inputs**0.5


def test_networks_that_do_not_divide_the_output_are_refused():
    with pytest.raises(diffeo.BuildError, match=r"divided by 2 networks; got \(3, 2\)"):
        make("separate_mlps", {"in_shape": (3,), "out_shape": (3, 2)})


def test_the_last_relu_can_be_left_out():
    """Without it a network of no block is affine."""
    x = torch.randn(3, *IMAGE["in_shape"])
    for last_relu in (True, False):
        fields = {"channels": 8, "blocks": 0, "init": "uniform", "last_relu": last_relu}
        net = make({"conv_resnet": fields}, IMAGE)
        middle, outer = net(0.0 * x), (net(x) + net(-x)) / 2
        assert torch.allclose(middle, outer, atol=1e-5) == (not last_relu)


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
        (
            IMAGE,
            (1, 2, 2),
            r"expected a context of shape \(F,\) or \(C, 4, 6\), the size of the input; got \(1, 2, 2\)",
        ),
        (IMAGE, (4, 6), r"expected a context of shape \(F,\) or \(C, 4, 6\), the size of the input; got \(4, 6\)"),
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
