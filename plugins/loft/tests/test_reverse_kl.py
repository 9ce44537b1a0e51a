"""Variational inference: three estimators of one gradient, what is left out, and what is annealed."""

import copy
import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import diffeo
from diffeo.testing import randomize

DIM = 6
NETWORK = {"two_mlps": {"hidden": [16]}}


def coupling(scale: Any = "soft_clamp", *, swap: bool = False, **fields: Any) -> Any:
    split = {"alternate": {"swap": swap}}
    return {"coupling": {"split": split, "transform": {"affine": {"scale": scale}}, "network": NETWORK, **fields}}


PROPOSED = [coupling(), coupling(swap=True), {"loft": {"tau": 0.5}}, "scale_shift"]
FLOWS: dict[str, Any] = {
    "proposed": PROPOSED,
    "constrained": [*PROPOSED, {"invert": {"steps": [{"softplus": {"entries": [0, 3]}}]}}],
    "any bijector": ["lu_linear", {"autoregressive": {"hidden": [8]}}, "actnorm", {"loft": {"tau": 0.5}}],
    "combinators": [
        {"repeat": {"times": 2, "steps": [coupling("tanh"), "reverse", "qr_linear"]}},
        {"invert": {"steps": [{"chain": {"steps": ["shuffle", {"coupling": {"transform": "rq_spline"}}]}}]}},
        {"coupling": {"transform": "additive"}},
    ],
    "mean field": [],
}
BASES = ["student_t", {"student_t": {"trainable_loc_scale": True}}, "diagonal_normal"]


def gradients(model: Any, target: Any, gradient: str, *, seed: int = 0, draws: int = 32, **fields: Any) -> Any:
    """The loss, and the gradient of every parameter, by name."""
    objective = diffeo.build("objective", {"reverse_kl": {"gradient": gradient, **fields}}, model=model, data=target)
    torch.manual_seed(seed)
    loss = objective(model, {}, diffeo.Progress(0, 10, draws))
    named = dict(model.named_parameters())
    found = torch.autograd.grad(loss.value, list(named.values()))
    return loss, dict(zip(named, found, strict=True))


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], rtol: float = 1e-10) -> None:
    for name, gradient in one.items():
        distance = torch.linalg.vector_norm(gradient - other[name])
        assert distance <= rtol * torch.linalg.vector_norm(other[name]), name
        assert bool(other[name].any()), f"{name} has a gradient"


@pytest.mark.parametrize("start", ["base", "data"])
@pytest.mark.parametrize(("name", "base"), [*itertools.product(FLOWS, BASES)], ids=str)
def test_path_and_fast_path_agree_for_every_parameter(name, base, start, make_flow, wave):
    steps = FLOWS[name] if start == "base" else [{"invert": {"steps": [step]}} for step in reversed(FLOWS[name])]
    model = make_flow(steps, DIM, base=base, start=start)
    (one, by_path), (other, by_fast_path) = (gradients(model, wave(DIM), kind) for kind in ("path", "fast_path"))
    assert_same(by_path, by_fast_path)
    assert one.value.item() == pytest.approx(other.value.item(), rel=1e-12)


@pytest.mark.parametrize("base", BASES, ids=str)
def test_total_less_the_score_is_path(base, make_flow, wave):
    model = make_flow(PROPOSED, DIM, base=base)
    loss, total = gradients(model, wave(DIM), "total")
    other, path = gradients(model, wave(DIM), "path")
    torch.manual_seed(0)
    theta, _ = model.sample_and_log_prob((32,))
    score = torch.autograd.grad(model.log_prob(theta.detach()).mean(), list(model.parameters()))
    rest = {name: gradient - part for (name, gradient), part in zip(total.items(), score, strict=True)}
    assert_same(rest, path, rtol=1e-9)
    assert loss.value.item() == pytest.approx(other.value.item(), rel=1e-12), "the value is that with the score"


class Copy(diffeo.Target):
    """The density of a flow as it was."""

    def __init__(self, flow: Any) -> None:
        super().__init__(flow.event_shape)
        self.flow = copy.deepcopy(flow).requires_grad_(False)

    def log_prob(self, theta: Tensor) -> Tensor:
        return self.flow.log_prob(theta)


@pytest.mark.parametrize("gradient", ["path", "fast_path"])
def test_without_the_score_there_is_no_noise_where_q_equals_p(gradient, make_flow):
    model = make_flow(FLOWS["constrained"], DIM)
    _, total = gradients(model, Copy(model), "total", draws=4)
    loss, path = gradients(model, Copy(model), gradient, draws=4)
    assert loss.value.item() == pytest.approx(0.0, abs=1e-12)
    for name, value in path.items():
        assert value.abs().max() <= 1e-10, name
        assert total[name].abs().max() > 1e-4, f"{name} has the noise of the score"


@pytest.mark.parametrize(("dim", "optimum"), [(10, -1.8628), (100, -3.0507), (1000, -4.2055)])
def test_mean_field_optimum_of_the_funnel(dim, optimum):
    """v ~ N(0, s2) with 1/s2 = 1/9 + (D-1)/2, x ~ N(0, exp(-s2/2)): stationary, with ELBO 0.5 log s2 - log 3."""
    s2 = 1 / (1 / 9 + (dim - 1) / 2)
    assert 0.5 * math.log(s2) - math.log(3) == pytest.approx(optimum, abs=5e-5)
    model = diffeo.build("model", {"flow": {"base": "diagonal_normal"}}, shape=(dim,)).double()
    with torch.no_grad():
        model.base.log_scale.fill_(-s2 / 4)
        model.base.log_scale[0] = 0.5 * math.log(s2)
    target = diffeo.build("target", {"funnel": {"dim": dim}})
    rows = [gradients(model, target, "fast_path", seed=seed, draws=500) for seed in range(30)]
    elbos = torch.stack([loss.metrics["elbo"] for loss, _ in rows])
    assert abs(elbos.mean() - optimum) < 4 * elbos.std() / math.sqrt(len(rows)) + 1e-4, "four standard errors"
    for name in ("base.loc", "base.log_scale"):
        found = torch.stack([found[name] for _, found in rows])
        errors = found.std(0) / math.sqrt(len(rows))
        assert bool((found.mean(0).abs() < 5 * errors + 1e-4).all()), "five standard errors, for each of many"


class Bad(diffeo.Target):
    """A normal density that is NaN, or infinite, where the first entry is positive."""

    def __init__(self, what: float, dim: int = DIM) -> None:
        super().__init__((dim,))
        self.what = what

    def log_prob(self, theta: Tensor) -> Tensor:
        good = theta[..., 0] <= 0
        return torch.where(good, -0.5 * theta.square().sum(-1), self.what)


@pytest.mark.parametrize("what", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gradient", ["total", "path", "fast_path"])
def test_draws_that_are_not_finite_are_left_out_and_counted(gradient, what, make_flow):
    model = make_flow(PROPOSED, DIM)
    torch.manual_seed(0)
    theta, log_q = model.sample_and_log_prob((32,))
    good = theta[:, 0] <= 0
    loss, found = gradients(model, Bad(what), gradient)
    wanted = (log_q + 0.5 * theta.square().sum(-1))[good].mean()
    assert loss.value.item() == pytest.approx(wanted.item(), rel=1e-12)
    assert loss.metrics["dropped"].item() == (~good).sum().item() > 0
    if gradient == "total":
        by_hand = torch.autograd.grad(wanted, list(model.parameters()))
        assert_same(found, dict(zip(found, by_hand, strict=True)))
    assert all(bool(gradient.isfinite().all()) for gradient in found.values())


def test_without_the_filter_one_bad_draw_spoils_the_loss(make_flow):
    loss, _ = gradients(make_flow(PROPOSED, DIM), Bad(math.nan), "fast_path", filter=False)
    assert loss.value.isnan()
    assert loss.metrics["dropped"].item() == 0


def test_a_loss_of_no_draw_is_not_a_number(make_flow):
    class Never(diffeo.Target):
        def log_prob(self, theta: Tensor) -> Tensor:
            return theta.sum(-1) * math.nan

    loss, _ = gradients(make_flow(PROPOSED, DIM), Never((DIM,)), "fast_path")
    assert loss.value.isnan()
    assert loss.metrics["dropped"].item() == 32


def test_a_draw_that_overflows_in_the_flow_is_left_out(wave):
    model = diffeo.build("model", {"flow": {"start": "base", "steps": [coupling("exp")]}}, shape=(DIM,)).double()
    with torch.no_grad():
        model.steps[0].network.output_layer[0].weight.fill_(200.0)
    loss, _ = gradients(model, wave(DIM), "total")
    assert 0 < loss.metrics["dropped"].item() < 32
    assert bool(loss.value.isfinite())


def test_annealing_weights_the_target(make_flow, wave):
    model, target = make_flow(PROPOSED, DIM), wave(DIM)

    def objective(**fields: Any) -> Any:
        return diffeo.build("objective", {"reverse_kl": {"anneal": True, **fields}}, model=model, data=target)

    def weights(objective: Any, total: int, steps: list[int]) -> list[float]:
        return [objective.target_weight(diffeo.Progress(step, total, 8)) for step in steps]

    assert weights(objective(), 60_000, [0, 5_000, 9_900, 20_000]) == pytest.approx([0.01, 0.51, 1.0, 1.0])
    assert weights(objective(), 300, [0, 50, 99, 299]) == pytest.approx([0.01, 0.51, 1.0, 1.0]), "a third of the run"
    assert weights(objective(anneal_steps=10), 300, [0, 5, 10]) == pytest.approx([0.01, 0.51, 1.0])
    assert weights(objective().eval(), 300, [0]) == [1.0], "what is validated is the loss itself"
    torch.manual_seed(0)
    loss = objective(anneal_steps=10)(model, {}, diffeo.Progress(4, 300, 8))
    torch.manual_seed(0)
    theta, log_q = model.sample_and_log_prob((8,))
    log_p = target.log_prob(theta)
    assert loss.value.item() == pytest.approx((log_q - 0.41 * log_p).mean().item(), rel=1e-12)
    assert loss.metrics["elbo"].item() == pytest.approx((log_p - log_q).mean().item(), rel=1e-12)
    assert loss.metrics["target_weight"].item() == pytest.approx(0.41)


@pytest.mark.parametrize("gradient", ["total", "path", "fast_path"])
def test_without_gradients_the_value_is_the_same(gradient, make_flow, wave):
    model = make_flow(PROPOSED, DIM)
    objective = diffeo.build("objective", {"reverse_kl": {"gradient": gradient}}, model=model, data=wave(DIM))
    torch.manual_seed(0)
    with_gradients = objective(model, {}, diffeo.Progress(0, 10, 8)).value
    torch.manual_seed(0)
    with torch.no_grad():
        without = objective(model, {}, diffeo.Progress(0, 10, 8)).value
    assert without.item() == pytest.approx(with_gradients.item(), rel=1e-12)
    assert not without.requires_grad


def test_a_data_set_is_no_target():
    model = diffeo.build("model", {"flow": {"base": "diagonal_normal"}}, shape=(2,))
    data = diffeo.build("dataset", "two_moons", seed=0)
    with pytest.raises(ValueError, match=r"expected a target, .*; got TwoMoonsDataset, .*maximum_likelihood"):
        diffeo.build("objective", "reverse_kl", model=model, data=data)


def test_a_flow_that_draws_noise_is_no_sampler(wave):
    spec = {"flow": {"dequantization": "uniform", "base": "diagonal_normal"}}
    with pytest.raises(ValueError, match="expected an exact model"):
        diffeo.build("objective", "reverse_kl", model=diffeo.build("model", spec, shape=(2,)), data=wave(2))


def test_a_model_whose_rows_see_each_other_is_refused(wave):
    network = {"conv_resnet": {"channels": 2, "blocks": 1, "norm": "batch"}}
    steps = [{"reshape": {"shape": [4, 1, 1]}}, {"coupling": {"split": "channel", "network": network}}]
    model = diffeo.build("model", {"flow": {"steps": steps}}, shape=(4,))
    with pytest.raises(ValueError, match="expected a model without batch statistics"):
        diffeo.build("objective", "reverse_kl", model=model, data=wave(4))


def test_something_else_than_a_distribution_is_refused(wave):
    with pytest.raises(ValueError, match="expected a model that is a distribution, such as flow; got Linear"):
        diffeo.build("objective", "reverse_kl", model=torch.nn.Linear(2, 2), data=wave(2))


def test_float32_follows_float64(make_flow, wave):
    model = make_flow(PROPOSED, DIM)
    loss, _ = gradients(randomize(copy.deepcopy(model), seed=1, scale=0.1).float(), wave(DIM), "fast_path")
    assert loss.value.dtype == torch.float32
