"""Targets that Python gives: constraints undone exactly, what is wrong with them told before a step, runs that keep them."""

import math
import re

import pytest
import torch
from torch.distributions import Dirichlet, Gamma, HalfCauchy, Normal, constraints, transforms
from torch.testing import assert_close

import diffeo
from diffeo import CallableTarget, ParameterLayout

MIXED = {
    "slope": 2,
    "sd": ((), constraints.positive),
    "rates": ((2, 2), transforms.SoftplusTransform()),
    "share": ((3,), constraints.simplex),
    "angle": ((2,), constraints.interval(-1.0, 3.0)),
    "factor": ((3, 3), constraints.corr_cholesky),
}


def theta_of(layout, *batch):
    return torch.randn(*batch, layout.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_layout_splits_theta_in_order_and_puts_it_together_again():
    layout = ParameterLayout(MIXED)
    assert layout.dim == 2 + 1 + 4 + 2 + 2 + 3
    theta = theta_of(layout, 4, 3)
    values, log_det = layout.constrain(theta)
    assert {name: tuple(value.shape) for name, value in values.items()} == {
        name: (4, 3, *shape) for name, shape in layout.shapes.items()
    }
    assert log_det.shape == (4, 3)
    torch.testing.assert_close(values["slope"], theta[..., :2], atol=0, rtol=0)
    torch.testing.assert_close(layout.unconstrain(values), theta, atol=1e-9, rtol=1e-9)
    assert layout.flatten(values).shape == (4, 3, 2 + 1 + 4 + 3 + 2 + 9)
    for name in ("sd", "rates", "share"):
        assert bool((values[name] > 0).all())
    torch.testing.assert_close(values["share"].sum(-1), torch.ones(4, 3).double())


@pytest.mark.parametrize("name", [name for name in MIXED if name != "factor"])
def test_the_log_det_of_a_constraint_is_that_of_its_jacobian(name):
    layout = ParameterLayout({name: MIXED[name]})
    theta = theta_of(layout)
    _, log_det = layout.constrain(theta)

    def free(theta):
        values = layout.flatten(layout.constrain(theta)[0])
        return values[: layout.dim]  # the last part of a simplex follows from the others

    jacobian = torch.autograd.functional.jacobian(free, theta)
    assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"w": ((), constraints.simplex)}, "parameter 'w': expected a shape that Simplex() fits; got ()"),
        ({"w": ((2, 3), constraints.corr_cholesky)}, "expected a shape that CorrCholesky() fits; got (2, 3)"),
        ({"w": ((2,), constraints.boolean)}, "on continuous values, or a transform; got Boolean(), which no transform"),
        (
            {"w": ((2,), transforms.SoftmaxTransform())},
            "expected a one-to-one transform from the real line; got Softmax",
        ),
        ({"w": ((2,), transforms.SigmoidTransform().inv)}, "expected a one-to-one transform from the real line; got"),
        ({"w": ((2,), "positive")}, "or a transform; got 'positive'"),
        ({"w": (2, 0)}, "expected a shape such as (3,) or (), or a pair of a shape and a constraint; got (2, 0)"),
        ({"w": "x"}, "expected a shape such as (3,) or (), or a pair of a shape and a constraint; got 'x'"),
        ({}, "expected at least one parameter; got none"),
    ],
    ids=str,
)
def test_a_constraint_that_does_not_fit_is_told(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ParameterLayout(given)


def test_a_vector_with_a_constraint_integrates_to_one():
    gamma = Gamma(torch.tensor(3.0).double(), 2.0)
    target = CallableTarget(lambda x: gamma.log_prob(x).sum(-1), dim=1, constraint=constraints.positive)
    grid = torch.linspace(-20, 5, 20_001, dtype=torch.float64)
    integral = torch.trapezoid(target.log_prob(grid[:, None]).exp(), grid)
    assert integral.item() == pytest.approx(1, abs=1e-8)
    assert torch.equal(target.constrain(grid[:, None]), grid[:, None].exp())
    assert list(target.by_name(grid[:, None])) == ["theta"]


def model_of_priors(vectorize):
    priors = {
        "mean": Normal(0.0, 2.0, validate_args=False).expand([2]),
        "sd": HalfCauchy(1.0, validate_args=False),
        "share": Dirichlet(torch.ones(3).double(), validate_args=False),
    }

    def log_density(values):
        prior = sum(
            part.log_prob(values[name]).sum(-1) if name == "mean" else part.log_prob(values[name])
            for name, part in priors.items()
        )
        return prior + Normal(values["mean"].sum(-1), values["sd"], validate_args=False).log_prob(torch.tensor(1.5))

    parameters = {name: (prior.batch_shape + prior.event_shape, prior.support) for name, prior in priors.items()}
    return CallableTarget(log_density, parameters=parameters, vectorize=vectorize)


def test_a_model_of_distributions_is_the_same_one_by_one_and_in_batches():
    target = model_of_priors(False)
    theta = theta_of(target.layout, 5, 2)
    assert target.event_shape == (2 + 1 + 2,)
    torch.testing.assert_close(model_of_priors(True).log_prob(theta), target.log_prob(theta))
    for batch in ((5, 2), (), (0,)):
        assert target.log_prob(theta_of(target.layout, *batch)).shape == batch
    assert {name: value.shape[2:] for name, value in target.by_name(theta).items()} == {
        "mean": (2,), "sd": (), "share": (3,)
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [{}, {"dim": 2, "parameters": {"x": 2}}, {"constraint": constraints.positive}])
def test_either_dim_or_parameters_are_needed(arguments):
    with pytest.raises(ValueError, match="expected dim, with a constraint or without one, or parameters; got"):
        CallableTarget(lambda x: x.sum(-1), **arguments)


@pytest.mark.parametrize(
    ("log_density", "message"),
    [
        (lambda x: -x.square(), "to return one number a draw, shape (16,); got (16, 2): sum over the parameters"),
        (lambda x: -x.square().sum(), "to return one number a draw, shape (16,); got (): sum over"),
        (lambda x: 1.0, "expected a tensor from <lambda>; got float"),
        (
            lambda x: x.sum(-1) * math.nan,
            "expected a finite log_prob for some of 16 draws of the untrained model; got NaN",
        ),
        (lambda x: x.sum(-1).exp() * -math.inf, "got none finite, -inf for one"),
        (lambda x: x.detach().sum(-1), "got one without a gradient: is it computed in numpy"),
        (lambda x: x @ torch.ones(3), "expected log_prob of 16 draws, theta of shape (16, 2); got RuntimeError: "),
    ],
)
def test_a_target_that_cannot_be_used_is_told_before_the_first_step(bench, log_density, message):
    target = CallableTarget(log_density, dim=2)
    with pytest.raises(diffeo.BuildError) as raised:
        diffeo.train(spec(bench), bench.path("bad"), data=target, show_progress=False)
    assert message in str(raised.value)
    assert "data" in raised.value.path
    assert not bench.path("bad").exists()


def spec(bench, **sections):
    return bench.spec(data="given", model={"flow": {"base": "diagonal_normal"}}, objective="elbo", **sections)


def correct(x):
    return Normal(torch.tensor([1.0, -2.0]), 0.5).log_prob(x).sum(-1)


def test_a_run_keeps_what_its_target_was_and_goes_on_with_the_target_given_again(bench):
    target = CallableTarget(correct, dim=2)
    half = diffeo.train(spec(bench), bench.path("run"), data=target, until=10, show_progress=False)
    assert half.data is target
    assert "what: 'CallableTarget correct: theta (2,)'" in (bench.path("run") / "spec.yaml").read_text()
    with pytest.raises(
        diffeo.SpecError, match=r"expected the target itself, from Python.*it was: CallableTarget correct"
    ):
        diffeo.resume(bench.path("run"), show_progress=False)
    whole = diffeo.resume(bench.path("run"), data=target, show_progress=False)
    assert whole.step == 20
    straight = diffeo.train(spec(bench), bench.path("straight"), data=target, show_progress=False)
    assert torch.equal(whole.model.base.loc, straight.model.base.loc)
    assert diffeo.evaluate(bench.path("run"), data=target) == {}
    assert bench.weights("run") == bench.weights("straight")


def test_seeds_take_the_target_as_train_does(bench):
    target = CallableTarget(correct, dim=2)
    half = diffeo.train_seeds(spec(bench), (0, 1), bench.path("seeds"), data=target, until=10, show_progress=False)
    assert half.outcomes == {0: "stopped", 1: "stopped"}
    with pytest.raises(diffeo.SpecError, match="expected the target itself, from Python"):
        diffeo.resume_seeds(bench.path("seeds"), show_progress=False)
    assert diffeo.resume_seeds(bench.path("seeds"), data=target, show_progress=False).is_finished
    alone = diffeo.train(spec(bench, seed=1), bench.path("alone"), data=target, show_progress=False)
    assert_close(diffeo.load(bench.path("seeds") / "seed-1").base.loc, alone.model.base.loc)


def test_check_takes_the_target_as_train_does(bench):
    plan = diffeo.check(spec(bench), data=CallableTarget(correct, dim=2))
    assert plan.rows[0].in_shape == (2,)
    with pytest.raises(ValueError, match="to return one number a draw"):
        diffeo.check(spec(bench), data=CallableTarget(lambda x: x, dim=3))


def test_what_is_no_target_is_refused(bench):
    with pytest.raises(ValueError, match=r"expected data as a diffeo.Target, such as diffeo.CallableTarget"):
        diffeo.train(spec(bench), bench.path("run"), data=correct)
