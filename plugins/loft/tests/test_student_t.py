"""The Student-t base: densities, draws, and the gradient that reaches the degrees of freedom through a draw."""

import math

import pytest
import torch
from torch.distributions import StudentT as TorchStudentT

import diffeo


def build(shape=(3,), **fields):
    return diffeo.build("distribution", {"student_t": fields}, shape=shape).double()


def test_degrees_of_freedom_start_at_thirty_and_are_trained_by_entry():
    base = build()
    assert torch.allclose(base.df, torch.full((3,), 30.0, dtype=torch.float64), rtol=1e-6)
    assert [name for name, _ in base.named_parameters()] == ["eta"]
    assert list(base.state_dict()) == ["eta"]


def test_degrees_of_freedom_stay_above_one():
    base = build()
    with torch.no_grad():
        base.eta.fill_(-30.0)
    assert bool((base.df > 1).all())


def test_density_is_that_of_torch():
    base = build(df=3.5, trainable_loc_scale=True)
    with torch.no_grad():
        base.eta.copy_(torch.tensor([0.1, 1.0, 4.0]))
        base.loc.copy_(torch.tensor([1.0, -2.0, 0.0]))
        base.log_scale.copy_(torch.tensor([0.5, 0.0, -1.0]))
    x = torch.randn(100, 3, dtype=torch.float64) * 10
    peer = TorchStudentT(base.df, base.loc, base.log_scale.exp())
    assert torch.allclose(base.log_prob(x), peer.log_prob(x).sum(-1), rtol=1e-12)


def test_density_of_draws_is_the_density_at_the_draws():
    base = build(df=4.0, trainable_loc_scale=True)
    torch.manual_seed(0)
    x, log_prob = base.sample_and_log_prob((50,))
    assert torch.allclose(log_prob, base.log_prob(x), rtol=1e-12)


def test_variance_of_draws():
    base = build(df=10.0, trainable_df=False)
    torch.manual_seed(0)
    squares = base.sample((40_000,)).square()
    error = squares.std() / math.sqrt(squares.numel())
    assert abs(squares.mean() - 10 / 8) < 4 * error, "four standard errors"


def test_gradient_through_draws_reaches_the_degrees_of_freedom():
    # d/d eta of E t^2 = df / (df - 2), with df = 1 + exp(eta): -2 (df - 1) / (df - 2)^2
    base = build((1,), df=12.0)
    torch.manual_seed(0)
    count, grads = 2_000, []
    for _ in range(50):
        x, _ = base.sample_and_log_prob((count,))
        (grad,) = torch.autograd.grad(x.square().mean(), base.eta)
        grads.append(grad)
    grads = torch.stack(grads)
    error = grads.std() / math.sqrt(len(grads))
    assert abs(grads.mean() - (-2 * 11 / 100)) < 4 * error, "four standard errors"


def test_temperature_scales_the_deviation():
    base = build()
    torch.manual_seed(0)
    plain = base.sample((5,))
    torch.manual_seed(0)
    assert torch.equal(base.sample((5,), temperature=0.5), 0.5 * plain)


def test_one_degree_of_freedom_is_refused():
    with pytest.raises(ValueError, match="df: expected a value > 1"):
        build(df=1.0)
