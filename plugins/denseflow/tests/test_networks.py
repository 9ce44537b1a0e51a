"""The networks of DenseFlow: parameter counts, contexts, where they start, what they refuse."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.testing import randomize

DOUBLE = torch.float64
NAMES = ("nystrom_dense_conv", "dense_conv", "expanding_conv")


def network(
    name: str, in_shape: Any = (2, 4, 4), out_shape: Any = (6, 4, 4), context_shape: Any = None, **fields: Any
) -> Any:
    torch.manual_seed(0)
    spec = {name: fields}
    return diffeo.build("network", spec, in_shape=in_shape, out_shape=out_shape, context_shape=context_shape).double()


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("channels", "count"), [(12, 1_569_716), (124, 1_577_892), (308, 1_591_324)])
def test_the_network_of_a_coupling_has_the_published_size(channels, count):
    half = channels // 2
    with torch.device("meta"):
        net = diffeo.build("network", "nystrom_dense_conv", in_shape=(half, 8, 8), out_shape=(2 * half, 8, 8))
    assert parameters(net) == count


@pytest.mark.parametrize("name", NAMES)
def test_a_network_starts_at_zero_and_a_context_vector_is_the_image_that_has_it_everywhere(name):
    net, image = network(name, context_shape=(3,)), network(name, context_shape=(3, 4, 4))
    x, vector = numbers(5, 2, 4, 4), numbers(5, 3)
    assert not bool(net(x, context=vector).any())
    randomize(net)
    image.load_state_dict(net.state_dict())
    pixels = vector[..., None, None].expand(5, 3, 4, 4)
    assert_close(net.eval()(x, context=vector), image.eval()(x, context=pixels))


def test_dense_layers_see_all_before_them():
    net = network("dense_conv", channels=3, layers=2, growth=4)
    assert [layer.weight.shape for layer in net.dense.inner] == [(3, 3, 1, 1), (7, 7, 1, 1)]
    assert [layer.weight.shape for layer in net.dense.outer] == [(4, 3, 3, 3), (4, 7, 3, 3)]
    x = numbers(2, 3, 4, 4)
    first = torch.cat([x, net.dense.outer[0](net.dense.inner[0](x).relu()).relu()], 1)
    second = torch.cat([first, net.dense.outer[1](net.dense.inner[1](first).relu()).relu()], 1)
    value, gated, gate = net.dense.gate(second).split(3, 1)
    assert_close(net.dense(x), value + gated * gate.sigmoid())


def test_branches_stand_side_by_side():
    net = randomize(network("nystrom_dense_conv", channels=4, layers=1, growth=3, features=2))
    x = numbers(3, 2, 4, 4)
    hidden = net.input_layer(x)
    branches = torch.cat([net.attention(hidden), net.dense(hidden)], 1)
    variance, mean = torch.var_mean(branches, (0, 2, 3), correction=0, keepdim=True)
    normed = (branches - mean) * (variance + 1e-5).rsqrt() * net.norm.weight[:, None, None] + net.norm.bias[
        :, None, None
    ]
    assert_close(net.train()(x), net.output_layer(net.mix(normed.relu())))


def test_without_attention_neighbours_alone_are_seen():
    x = numbers(1, 2, 12, 2)
    moved = x.clone()
    moved[..., 0, 0] += 1
    for attention in ("nystrom", "released", "none"):
        fields: Any = {"channels": 4, "layers": 2, "growth": 3, "attention": attention}
        net = randomize(network("nystrom_dense_conv", (2, 12, 2), (3, 12, 2), **fields)).eval()
        change = (net(moved) - net(x)).abs().amax((0, 1, 3))
        assert bool((change > 0).all()) == (attention != "none")
        assert bool((change[:3] > 0).all())


def test_the_encoder_halves_an_image():
    encoder: Any = diffeo.build("encoder", "dense_conv_encoder", shape=(3, 32, 32))
    assert encoder.out_shape == (64, 16, 16)
    assert encoder(torch.zeros(2, 5, 3, 32, 32)).shape == (2, 5, 64, 16, 16)


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        diffeo.BuildError, match=r"multiple of landmarks = 4; got 3 x 3 \(attention: none takes any size\)"
    ):
        network("nystrom_dense_conv", (2, 3, 3), (2, 3, 3))
    with pytest.raises(diffeo.BuildError, match=r"with H and W even; got \(3, 5, 4\)"):
        diffeo.build("encoder", "dense_conv_encoder", shape=(3, 5, 4))
    for name in NAMES:
        with pytest.raises(diffeo.BuildError, match=r"expected images of shape \(C, H, W\) in and out"):
            network(name, (4,), (4,))
        with pytest.raises(diffeo.BuildError, match=r"expected a context of shape \(F,\) or \(C, 4, 4\)"):
            network(name, context_shape=(3, 2, 2))
