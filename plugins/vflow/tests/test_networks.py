"""The networks of Flow++: initialisation from data, contexts, dropout, parameter counts from the formula."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import diffeo
from diffeo.data_initialized import armed
from diffeo_vflow.gated_blocks import Dropout, attend, concat_elu
from diffeo_vflow.initialized_conv import InitializedConv

DOUBLE = torch.float64
SMALL: dict[str, Any] = {"channels": 8, "blocks": 2, "heads": 2, "dropout": 0.0}


def network(in_shape=(2, 4, 2), out_shape=(6, 4, 2), context_shape=None, **fields: Any) -> Any:
    torch.manual_seed(0)
    spec = {"gated_conv_attention": {**SMALL, **fields}}
    return diffeo.build("network", spec, in_shape=in_shape, out_shape=out_shape, context_shape=context_shape).double()


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


@pytest.mark.parametrize("weight_norm", [False, True])
@pytest.mark.parametrize("init_scale", [1.0, 0.1])
def test_the_first_batch_sets_mean_and_deviation_of_every_channel(weight_norm, init_scale):
    conv = InitializedConv(3, 5, init_scale=init_scale, weight_norm=weight_norm).double()
    x = 4 + 3 * numbers(16, 3, 6, 4)
    with armed(conv):
        y = conv(x)
        again = conv(numbers(2, 3, 6, 4))
    variance, mean = torch.var_mean(y, (0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(5, dtype=DOUBLE), atol=1e-9, rtol=0.0)
    torch.testing.assert_close(variance.sqrt(), torch.full((5,), init_scale, dtype=DOUBLE), rtol=1e-5, atol=0.0)
    torch.testing.assert_close(again, conv(numbers(2, 3, 6, 4)))


def test_weight_norm_starts_as_the_same_function():
    torch.manual_seed(0)
    plain, normed = InitializedConv(3, 5).double(), InitializedConv(3, 5, weight_norm=True).double()
    normed.weight.data.copy_(7.0 * plain.weight.data)
    x = numbers(4, 3, 6, 4)
    with armed(plain), armed(normed):
        expected, got = plain(x), normed(x)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)  # 1e-8 is added to variances of different size


def test_weights_start_small_and_biases_at_zero():
    torch.manual_seed(0)
    conv = InitializedConv(64, 64)
    assert abs(float(conv.weight.detach().std()) / 0.05 - 1) < 0.02  # 36,864 draws: 4 standard errors are 1.5%
    assert not bool(conv.bias.any())


@pytest.mark.parametrize("fields", [{}, {"attention": False}, {"last_elu": True}, {"weight_norm": True}])
def test_a_network_starts_with_outputs_of_its_init_scale(fields):
    net = network(context_shape=(3, 4, 2), **fields)
    x, context = numbers(64, 2, 4, 2), numbers(64, 3, 4, 2)
    with armed(net):
        out = net(x, context=context)
    torch.testing.assert_close(
        out.std((0, 2, 3), correction=0), torch.full((6,), 0.1, dtype=DOUBLE), rtol=1e-4, atol=0.0
    )
    assert not any(module.initializing for module in net.modules() if isinstance(module, InitializedConv))


def test_an_init_scale_of_zero_starts_at_zero_and_stays_there_until_trained():
    net = network(init_scale=0)
    x = numbers(4, 2, 4, 2)
    with armed(net):
        assert not bool(net(x).any())
    assert not bool(net(x).any())
    net(x).sum().backward()
    assert bool(net.output_layer.weight.grad.any())


def test_a_context_vector_is_the_image_that_has_it_everywhere():
    net = network(context_shape=(3,))
    image = network(context_shape=(3, 4, 2))
    image.load_state_dict(net.state_dict())
    x, vector = numbers(5, 2, 4, 2), numbers(5, 3)
    expected = image(x, context=vector[..., None, None].expand(5, 3, 4, 2))
    torch.testing.assert_close(net(x, context=vector), expected)


def test_attention_on_a_cpu_is_the_fused_one():
    query, key, value = numbers(3, 2, 4, 10, 8).unbind(0)
    torch.testing.assert_close(attend(query, key, value), F.scaled_dot_product_attention(query, key, value))


def test_attention_reaches_every_position_and_convolutions_their_neighbours():
    x = numbers(1, 2, 12, 2)
    moved = x.clone()
    moved[..., 0, 0] += 1
    for attention in (True, False):
        net = network((2, 12, 2), (6, 12, 2), blocks=1, attention=attention)
        change = (net(moved) - net(x)).abs().amax((0, 1))
        assert bool((change[-1] > 0).all()) == attention
        assert bool((change[:3] > 0).all())


def test_dropout_keeps_the_mean():
    layer = Dropout(0.2)
    x = torch.ones(100_000)
    torch.manual_seed(0)
    y = layer(x)
    assert set(y.unique().tolist()) == {0.0, 1.25}
    assert abs(float(y.mean()) - 1) < 4 * (0.25 / 100_000) ** 0.5
    assert torch.equal(layer.eval()(x), x)


def test_concat_elu_doubles_the_channels():
    x = torch.tensor([1.0, -2.0]).reshape(1, 2, 1, 1)
    expected = F.elu(torch.tensor([1.0, -2.0, -1.0, 2.0]))
    assert torch.equal(concat_elu(x).flatten(), expected)


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("context", [None, 32])
def test_parameters_of_a_network_are_those_of_the_formula(attention, context):
    channels, blocks, inputs, outputs, height, width = 8, 3, 5, 7, 4, 6
    net = network(
        (inputs, height, width),
        (outputs, height, width),
        None if context is None else (context, height, width),
        channels=channels,
        blocks=blocks,
        attention=attention,
    )

    def conv(kernel: int, source: int, target: int) -> int:
        return kernel**2 * source * target + target

    block = conv(3, 2 * channels, channels) + conv(1, 2 * channels, 2 * channels) + 2 * channels
    block += 0 if context is None else conv(1, 2 * context, channels)
    block += conv(1, channels, 3 * channels) + conv(1, channels, 2 * channels) + 2 * channels if attention else 0
    total = conv(3, inputs, channels) + blocks * block + conv(3, channels, outputs)
    total += height * width * channels if attention else 0
    assert sum(parameter.numel() for parameter in net.parameters()) == total


def test_the_context_network_has_the_parameters_of_flowpp_and_the_size_of_a_part():
    encoder: Any = diffeo.build("encoder", "gated_conv_encoder", shape=(3, 32, 32))
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 167_936
    assert encoder.out_shape == (32, 32, 16)


def test_what_does_not_fit_is_refused():
    with pytest.raises(diffeo.SpecError, match="heads: expected a divisor of channels = 6; got 4"):
        diffeo.build("network", {"gated_conv_attention": {"channels": 6}}, in_shape=(1, 2, 2), out_shape=(1, 2, 2))
    with pytest.raises(diffeo.BuildError, match=r"expected images of shape \(C, H, W\) in and out"):
        network((4,), (4,))
    with pytest.raises(diffeo.BuildError, match=r"expected a context of shape \(F,\) or \(C, 4, 2\).*got \(3, 4, 4\)"):
        network(context_shape=(3, 4, 4))
    with pytest.raises(diffeo.BuildError, match="with W even"):
        diffeo.build("encoder", "gated_conv_encoder", shape=(3, 4, 3))
    with pytest.raises(diffeo.BuildError, match=r"two images of one height and width; got \(2,\) and \(2,\)"):
        diffeo.build("encoder", {"gated_conv_encoder": {"split": "half"}}, shape=(4,))
