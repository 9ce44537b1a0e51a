"""The network of two halves: nothing is shared between them."""

import pytest
import torch

import diffeo


def build(out_shape=(6,), **fields):
    torch.manual_seed(0)
    return diffeo.build("network", {"two_mlps": fields}, in_shape=(4,), out_shape=out_shape).double()


def test_each_half_depends_on_its_own_network():
    network = build()
    with torch.no_grad():
        network.output_layer[1].weight.normal_()
    scale, shift = network(torch.randn(5, 4, dtype=torch.float64)).split(3, dim=-1)
    assert bool((scale == 0).all())
    assert bool((shift != 0).any())
    shift.sum().backward()
    first = [parameter.grad for name, parameter in network.named_parameters() if ".0." in name and "hidden.0" in name]
    assert all(grad is None or not bool(grad.any()) for grad in first)


def test_widths_are_those_of_the_paper():
    assert sum(p.numel() for p in build().parameters()) == 2 * ((4 * 100 + 100) + (100 * 3 + 3))


def test_an_odd_output_is_refused():
    with pytest.raises(ValueError, match=r"expected an output of two halves.*got shape \(5,\)"):
        build((5,))


def test_a_coupling_of_it_takes_log_scales_from_the_first_and_shifts_from_the_second():
    layer = diffeo.build(
        "bijector",
        {"coupling": {"transform": {"affine": {"scale": "exp"}}, "network": "two_mlps"}},
        shape=(4,),
    ).double()
    with torch.no_grad():
        layer.network.output_layer[0].bias.fill_(0.5)
        layer.network.output_layer[1].bias.fill_(3.0)
    y, log_det = layer(torch.ones(4, dtype=torch.float64))
    assert y[2:].tolist() == pytest.approx([torch.tensor(0.5).exp().item() + 3.0] * 2)
    assert log_det.item() == pytest.approx(1.0)
