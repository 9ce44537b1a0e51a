"""Autoregressive layers: the order of dependence, the context, and masks of every size."""

import pytest
import torch

import diffeo
from diffeo.testing import randomize
from diffeo_bijectors.masked_mlp import MaskedMLP


def layer(shape: tuple[int, ...], *, context_shape: tuple[int, ...] | None = None, **fields):
    return randomize(diffeo.build("bijector", {"autoregressive": fields}, shape=shape, context_shape=context_shape), 0)


@pytest.mark.parametrize("context_shape", [None, (2,)])
@pytest.mark.parametrize("hidden", [(2,), (3, 64), (64, 64, 64)])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_parameters_of_an_entry_depend_on_the_entries_before_it_only(size, hidden, context_shape):
    net = randomize(MaskedMLP(size, 2, hidden, context_shape), 1).double()
    context = None if context_shape is None else torch.randn(2).double()
    jacobian = torch.zeros(2, size, size).double()
    for _ in range(20):  # somewhere every ReLU on a path is open
        x = torch.randn(size).double()
        jacobian += (
            torch.autograd.functional.jacobian(lambda x: net(x, context=context), x).reshape(2, size, size).abs()
        )
    above = torch.ones(size, size).triu().bool()
    assert not jacobian[:, above].any()
    if min(hidden) >= 64:
        assert (jacobian[:, ~above] > 0.0).all()


def test_the_last_entry_sees_the_first_even_through_a_narrow_layer():
    net = randomize(MaskedMLP(8, 1, (2,), None), 1).double()
    jacobian = sum(torch.autograd.functional.jacobian(net, torch.randn(8).double()).abs()[-1] for _ in range(50))
    assert (jacobian[:-1] > 0.0).all()


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 2, 2)])
@pytest.mark.parametrize("transform", ["affine", "rq_spline"])
def test_every_output_depends_on_the_context_the_first_one_included(shape, transform):
    bijector = layer(shape, context_shape=(3,), transform=transform).double()
    x = torch.zeros(50, *shape).double() + 0.1
    for direction in (bijector, bijector.inverse):
        y, _ = direction(x, context=torch.randn(50, 3).double())
        assert (y.flatten(1).std(0) > 1e-3).all()


def test_the_context_enters_the_first_entry_nonlinearly():
    bijector = layer((3,), context_shape=(1,), transform="additive").double()
    context = torch.linspace(-3.0, 3.0, 61, dtype=torch.float64)[:, None]
    first = bijector(torch.zeros(61, 3).double(), context=context)[0][:, 0]
    assert first.diff().diff().abs().max() > 1e-3


@pytest.mark.parametrize("transform", ["additive", "affine", "rq_spline"])
def test_jacobian_is_lower_triangular_in_both_directions(transform):
    bijector = layer((2, 3), transform=transform).double()
    x = torch.randn(2, 3).double()
    for direction in (bijector, bijector.inverse):
        jacobian = torch.autograd.functional.jacobian(lambda x, f=direction: f(x)[0], x).reshape(6, 6)
        assert torch.equal(jacobian, jacobian.tril())
        torch.testing.assert_close(jacobian.diag().log().sum(), direction(x)[1], rtol=0.0, atol=1e-10)


def test_density_takes_one_pass_and_sampling_one_per_entry():
    bijector = layer((5,))
    passes = []
    bijector.network.register_forward_hook(lambda *_: passes.append(1))
    y, _ = bijector(torch.randn(2, 5))
    assert len(passes) == 1
    bijector.inverse(y)
    assert len(passes) == 1 + 5


def test_inverted_it_samples_in_one_pass():
    inverse = diffeo.build("bijector", {"invert": {"steps": ["autoregressive"]}}, shape=(5,))
    passes = []
    (network,) = [module for module in inverse.modules() if isinstance(module, MaskedMLP)]
    network.register_forward_hook(lambda *_: passes.append(1))
    inverse.inverse(torch.randn(2, 5))
    assert len(passes) == 1


def test_hidden_layers_are_needed():
    with pytest.raises(ValueError, match="hidden: expected at least one hidden layer; got none"):
        diffeo.build("bijector", {"autoregressive": {"hidden": []}}, shape=(3,))
