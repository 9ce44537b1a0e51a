"""The normal bases: densities against torch's, draws by their moments, shapes and dtypes of draws."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

import diffeo


def diagonal(shape=(2, 3), context_shape=None):
    base = diffeo.build("distribution", "diagonal_normal", shape=shape, context_shape=context_shape).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in base.parameters():
        parameter.data = torch.randn(shape, generator=generator, dtype=torch.float64)
    return base


def test_densities_are_those_of_torch():
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    base = diagonal()
    expected = Independent(Normal(base.loc, base.log_scale.exp()), 2).log_prob(x)
    assert_close(base.log_prob(x), expected)
    standard = diffeo.build("distribution", "standard_normal", shape=(2, 3)).double()
    assert_close(standard.log_prob(x), Normal(0.0, 1.0).log_prob(x).sum((-1, -2)))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_have_the_moments(temperature):
    base, count = diagonal((2,)), 20_000
    torch.manual_seed(0)
    draws = base.sample((count,), temperature=temperature)
    scale = temperature * base.log_scale.exp()
    assert ((draws.mean(0) - base.loc).abs() < 4 * scale / math.sqrt(count)).all()
    assert ((draws.std(0) / scale - 1).abs() < 4 / math.sqrt(2 * count)).all()


def test_draws_carry_gradients_and_their_density():
    base = diagonal((2,))
    x, log_prob = base.sample_and_log_prob((7,))
    assert_close(log_prob, base.log_prob(x))
    x.sum().backward()
    assert_close(base.loc.grad, torch.full((2,), 7.0, dtype=torch.float64))
    assert base.log_scale.grad is not None
    assert not base.sample((7,)).requires_grad


@pytest.mark.parametrize("name", ["standard_normal", "diagonal_normal"])
def test_shapes_of_draws(name):
    base = diffeo.build("distribution", name, shape=(2,), context_shape=(3,)).double()
    context = torch.zeros(5, 4, 3, dtype=torch.float64)
    assert base.sample((6,), context=context).shape == (6, 5, 4, 2)
    assert base.sample(context=context[:0]).shape == (0, 4, 2)
    x, log_prob = base.sample_and_log_prob((6,), context=context)
    assert x.shape == (6, 5, 4, 2)
    assert log_prob.shape == (6, 5, 4)
    assert x.dtype == torch.float64
    assert base.log_prob(x[:0], context=context).shape == (0, 5, 4)
