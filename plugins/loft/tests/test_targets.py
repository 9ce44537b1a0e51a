"""Targets: normalised where they say so, equal to the library's distributions, finite far out, drawn from exactly."""

import math
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Cauchy, Exponential, HalfCauchy, InverseGamma, MultivariateNormal, Normal

import diffeo
from diffeo.testing import (
    Capabilities,
    OneWay,
    check_batch_independence,
    check_batch_shapes,
    check_compile,
    check_deepcopy,
    check_devices,
    check_dtypes,
    check_finite,
    check_gradcheck,
    check_inputs_unchanged,
    check_repeatable,
    check_stress,
    check_vmap,
    draw_inputs,
    integral_over_plane,
)

SPECS: dict[str, dict[str, Any]] = {
    "funnel": {"dim": 3},
    "multivariate_student_t": {"dim": 3},
    "normal_mixture": {"dim": 3},
    "conjugate_linear_regression": {"dim": 3},
    "horseshoe_logistic_regression": {"dim": 3},
    "bayesian_lasso": {"dim": 3, "penalty": 2.0},
}

LAWS = [
    check_batch_shapes,
    check_batch_independence,
    check_dtypes,
    check_finite,
    check_gradcheck,
    check_vmap,
    check_deepcopy,
    check_devices,
    check_inputs_unchanged,
    check_repeatable,
    check_stress,
    check_compile,
]


class Density(OneWay):
    """theta to its log-density, as the laws of maps see it."""

    def __init__(self, target: diffeo.Target) -> None:
        super().__init__(target.event_shape, (1,), None, capabilities=Capabilities(twice_differentiable=True))
        self.target = target

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_prob = self.target.log_prob(x)
        return log_prob.unsqueeze(-1), log_prob


def make(name: str, **fields: Any) -> Any:
    return diffeo.build("target", {name: {**SPECS[name], **fields}})


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__[6:])
@pytest.mark.parametrize("name", SPECS)
def test_laws_of_densities(name: str, law: Any) -> None:
    target = make(name)
    density = Density(target).double()
    law(density, draw_inputs(density.in_shape, density.out_shape))


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0, 300.0])
@pytest.mark.parametrize("name", SPECS)
def test_values_and_gradients_far_out(name: str, scale: float) -> None:
    target = make(name)
    theta = (
        scale * torch.cat([draw(50, *target.event_shape).clamp(-1, 1), torch.eye(target.event_shape[0]).double()])
    ).requires_grad_()
    log_prob = target.log_prob(theta)
    (gradient,) = torch.autograd.grad(log_prob.sum(), theta)
    assert bool(log_prob.isfinite().all())
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("name", ["funnel", "multivariate_student_t", "normal_mixture"])
def test_tails_reach_as_far_as_samples_of_any_flow(name: str) -> None:
    target = make(name)
    for size in (1e3, 1e8):
        theta = (size * draw(20, 3)).requires_grad_()
        (gradient,) = torch.autograd.grad(target.log_prob(theta).sum(), theta)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize(
    ("name", "fields", "box"),
    [
        ("funnel", {"dim": 2}, ((-14.0, 14.0), (-600.0, 600.0))),
        ("normal_mixture", {"dim": 2}, ((-12.0, 12.0), (-12.0, 12.0))),
        ("multivariate_student_t", {"dim": 2, "df": 8.0}, ((-60.0, 60.0), (-60.0, 60.0))),
    ],
)
def test_densities_of_the_plane_integrate_to_one(name: str, fields: Any, box: Any) -> None:
    target = make(name, **fields)
    if name == "funnel":  # across the neck the grid is that of x / sd, whose Jacobian is the sd
        v = torch.linspace(-14, 14, 2001, dtype=torch.float64)
        u = torch.linspace(-12, 12, 2001, dtype=torch.float64)
        log_sd = (v / 2).exp().add(1e-6).log()
        theta = torch.stack(torch.broadcast_tensors(v[:, None], u * log_sd.exp()[:, None]), -1)
        rows = torch.trapezoid((target.log_prob(theta) + log_sd[:, None]).exp(), u)
        assert torch.trapezoid(rows, v).item() == pytest.approx(1, abs=1e-5)
    else:
        assert integral_over_plane(target.log_prob, *box, points=1500) == pytest.approx(1, abs=1e-5)


def test_the_evidence_of_one_covariate_is_the_integral(tmp_path: Any) -> None:
    (tmp_path / "xy.csv").write_text("x,y\n0.3,1.0\n-0.5,-0.2\n1.2,0.9\n")
    target = diffeo.build("target", {"conjugate_linear_regression": {"path": tmp_path / "xy.csv", "label": "y"}})
    integral = integral_over_plane(target.log_prob, (-30.0, 30.0), (-14.0, 600.0), points=3000)
    assert math.log(integral) == pytest.approx(target.log_marginal, abs=1e-3)


def test_student_t_is_that_of_scipy() -> None:
    target = make("multivariate_student_t", dim=4, df=2.5, loc=-1.0, correlation=0.3)
    shape = 0.7 * torch.eye(4) + 0.3
    reference = stats.multivariate_t([-1.0] * 4, shape.numpy(), df=2.5)
    theta = 3 * draw(50, 4)
    torch.testing.assert_close(
        target.log_prob(theta), torch.from_numpy(reference.logpdf(theta.numpy())), atol=1e-6, rtol=0
    )


def test_mixture_is_that_of_torch_and_its_modes_are_as_far_apart_in_any_dimension() -> None:
    for dim in (1, 5, 1000):
        target = make("normal_mixture", dim=dim)
        centres = target.means[:, None].expand(3, dim)
        assert (centres[0] - centres[2]).norm().item() == pytest.approx(6.0)
        assert (centres[1] - centres[2]).norm().item() == pytest.approx(6.0)
    target = make("normal_mixture", dim=5)
    theta = 2 * draw(20, 5)
    parts = [MultivariateNormal(mean.expand(5), torch.eye(5).double()).log_prob(theta) for mean in target.means]
    torch.testing.assert_close(target.log_prob(theta), torch.stack(parts).logsumexp(0) - math.log(3))


def test_funnel_is_what_it_says() -> None:
    theta = 2 * draw(20, 3)
    sd = (theta[:, :1] / 2).exp() + 1e-6
    expected = Normal(0.0, 3.0).log_prob(theta[:, 0]) + Normal(0.0, sd).log_prob(theta[:, 1:]).sum(-1)
    torch.testing.assert_close(make("funnel").log_prob(theta), expected)
    assert list(make("funnel").by_name(theta)) == ["v", "x"]


@pytest.mark.parametrize(("dim", "expected"), [(10, -269.739037), (100, -347.813836), (1000, -320.592667)])
def test_the_evidence_of_the_conjugate_regression_is_that_of_a_multivariate_t(dim: int, expected: float) -> None:
    target = make("conjugate_linear_regression", dim=dim)
    x, y = target.x.numpy(), target.y.numpy()
    reference = stats.multivariate_t([0.0] * 100, x @ x.T + torch.eye(100).numpy(), df=1).logpdf(y)
    assert target.log_marginal == pytest.approx(reference, abs=1e-6)
    assert target.log_marginal == pytest.approx(expected, abs=1e-5)


def test_the_posterior_of_the_conjugate_regression_is_the_joint_over_the_evidence() -> None:
    target = make("conjugate_linear_regression")
    mean, cholesky, shape, rate = target._posterior
    theta = target.sample((30,))
    values, log_det = target.layout.constrain(theta)
    sigma2 = values["sigma2"]
    precision = (cholesky @ cholesky.mT) / sigma2[:, None, None]
    beta = MultivariateNormal(mean, precision_matrix=precision).log_prob(values["beta"])
    posterior = beta + InverseGamma(torch.tensor(shape).double(), rate).log_prob(sigma2) + log_det
    torch.testing.assert_close(target.log_prob(theta) - target.log_marginal, posterior)


def test_horseshoe_is_what_its_priors_and_likelihood_say() -> None:
    target = make("horseshoe_logistic_regression")
    theta = draw(12, 8)
    values, _ = target.layout.constrain(theta)
    shares, tau, raw, intercept = (values[name] for name in ("lambda", "tau", "raw", "intercept"))
    torch.testing.assert_close(target.constrain(theta), torch.cat([shares, tau[:, None], raw, intercept[:, None]], 1))
    logits = (tau[:, None] * shares * raw) @ target.x.mT + intercept[:, None]
    labels = ((target.signs + 1) / 2).expand_as(logits)
    expected = (
        HalfCauchy(1.0).log_prob(shares).sum(-1)
        + HalfCauchy(1.0).log_prob(tau)
        + Normal(0.0, 1.0).log_prob(raw).sum(-1)
        + Cauchy(0.0, 10.0).log_prob(intercept)
        + torch.distributions.Bernoulli(logits=logits).log_prob(labels).sum(-1)
        + theta[:, :4].sigmoid().log().sum(-1)
    )
    torch.testing.assert_close(target.log_prob(theta), expected)
    assert list(target.by_name(theta)) == ["beta", "lambda", "tau", "raw", "intercept"]
    torch.testing.assert_close(target.by_name(theta)["beta"], tau[:, None] * shares * raw)


def test_lasso_is_what_its_priors_and_likelihood_say() -> None:
    target = make("bayesian_lasso")
    theta = draw(12, 8)
    values, log_det = target.layout.constrain(theta)
    tau2, sigma2, beta, intercept = (values[name] for name in ("tau2", "sigma2", "beta", "intercept"))
    torch.testing.assert_close(target.constrain(theta), torch.cat([tau2, sigma2[:, None], beta, intercept[:, None]], 1))
    sd = (tau2 * sigma2[:, None]).sqrt() + 1e-6
    mean = beta @ target.x.mT + intercept[:, None]
    expected = (
        Exponential(2.0).log_prob(tau2).sum(-1)
        + InverseGamma(torch.tensor(0.5).double(), 0.5).log_prob(sigma2)
        + Normal(0.0, sd).log_prob(beta).sum(-1)
        + Cauchy(0.0, 10.0).log_prob(intercept)
        + Normal(mean, sigma2.sqrt()[:, None]).log_prob(target.y).sum(-1)
        + log_det
    )
    torch.testing.assert_close(target.log_prob(theta), expected)


@pytest.mark.parametrize("name", ["conjugate_linear_regression", "horseshoe_logistic_regression", "bayesian_lasso"])
def test_the_jacobian_of_the_constraints_is_that_of_autograd(name: str) -> None:
    target = make(name)
    for theta in (draw(*target.event_shape), 20 + draw(*target.event_shape), draw(*target.event_shape) - 20):
        jacobian = torch.autograd.functional.jacobian(target.constrain, theta)
        _, log_det = target.layout.constrain(theta)
        assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-9)
        values, _ = target.layout.constrain(theta)
        torch.testing.assert_close(target.layout.unconstrain(values), theta, atol=1e-6, rtol=1e-9)


DRAWS = 20_000


@pytest.mark.parametrize("name", ["funnel", "multivariate_student_t", "normal_mixture", "conjugate_linear_regression"])
def test_exact_draws_follow_the_density(name: str) -> None:
    """Where draws follow p, the gradient of log p has mean zero, and any draws of half the spread do not pass."""
    target = make(name)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theta = target.sample((DRAWS,))
        assert target.sample().shape == target.event_shape
        assert target.sample((2, 3)).shape == (2, 3, *target.event_shape)
    theta.requires_grad_()
    (score,) = torch.autograd.grad(target.log_prob(theta).sum(), theta)
    assert bool((score.mean(0).abs() < 5 * score.std(0) / DRAWS**0.5).all())
    # E[theta . grad log p] = -D, by parts; t-like tails make the variance finite though theta has none.
    product = (theta.detach() * score).sum(-1)
    assert abs(product.mean().item() + theta.shape[-1]) < 5 * product.std().item() / DRAWS**0.5


def test_marginals_of_exact_draws_pass_a_kolmogorov_smirnov_test() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        funnel = make("funnel").sample((DRAWS,))
        student = make("multivariate_student_t").sample((DRAWS,))
        mixture = make("normal_mixture", dim=1).sample((DRAWS,))
        regression = make("conjugate_linear_regression")
        posterior = regression.by_name(regression.sample((DRAWS,)))
    mean, cholesky, shape, rate = regression._posterior
    scale = math.sqrt(rate / shape * torch.cholesky_inverse(cholesky)[0, 0].item())
    tests = [
        stats.kstest(funnel[:, 0], stats.norm(0, 3).cdf),
        stats.kstest(funnel[:, 1] / ((funnel[:, 0] / 2).exp() + 1e-6), stats.norm.cdf),
        stats.kstest(student[:, 1], stats.t(df=1, loc=2).cdf),
        stats.kstest(student.mean(-1), stats.t(df=1, loc=2, scale=math.sqrt((1 + 2 * 0.8) / 3)).cdf),
        stats.kstest(mixture[:, 0], lambda x: sum(stats.norm(m, 1).cdf(x) for m in (-6, 0, 6)) / 3),
        stats.kstest(posterior["sigma2"], stats.invgamma(shape, scale=rate).cdf),
        stats.kstest(posterior["beta"][:, 0], stats.t(df=2 * shape, loc=mean[0].item(), scale=scale).cdf),
    ]
    assert min(test.pvalue for test in tests) > 1e-4


def test_a_mean_field_fit_of_a_mode_and_of_the_funnel_has_the_elbo_of_the_closed_form() -> None:
    """One mode of the mixture gives -log 3; the best normals of the funnel 0.5 log s2 - log 3, s2 = 1 / (1/9 + (D - 1) / 2)."""
    noise = draw(DRAWS, 10)
    mixture = make("normal_mixture", dim=10)
    theta = noise + mixture.means[0]
    elbo = mixture.log_prob(theta) - Normal(0.0, 1.0).log_prob(noise).sum(-1)
    assert elbo.mean().item() == pytest.approx(-math.log(3), abs=5 * elbo.std().item() / DRAWS**0.5 + 0.01)
    funnel = make("funnel", dim=10)
    variance = 1 / (1 / 9 + 9 / 2)
    sd = torch.tensor([variance**0.5, *[math.exp(-variance / 4)] * 9], dtype=torch.float64)
    # The mean of v is 0 where x has variance exp(-s2 / 2): E[x^2 exp(-v)] = 1.
    terms = funnel.log_prob(noise * sd) - (Normal(0.0, 1.0).log_prob(noise) - sd.log()).sum(-1)
    assert terms.mean().item() == pytest.approx(-1.8628, abs=5 * terms.std().item() / DRAWS**0.5 + 1e-4)
