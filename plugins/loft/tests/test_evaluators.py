"""Evaluators of targets against known answers: models that are the target, models that are off by a known amount."""

import csv
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal, StudentT, constraints

import diffeo
from diffeo.png import description
from diffeo_loft.evaluators.marginal_likelihood import effective_sample_size, log_marginal, pareto_k
from diffeo_loft.evaluators.scalars import select
from diffeo_loft.evaluators.sliced_wasserstein import directions, distance

SHIFT = 3.7
"""log-normaliser of the targets below."""


class Gaussian(diffeo.Target):
    """Independent normals of one mean and standard deviation, times exp(SHIFT)."""

    log_marginal = SHIFT

    def __init__(self, dim: int = 2, mean: float = 0.0, sd: float = 1.0) -> None:
        super().__init__((dim,))
        self.mean, self.sd = mean, sd

    def log_prob(self, theta: Tensor) -> Tensor:
        return Normal(self.mean, self.sd).log_prob(theta).sum(-1) + SHIFT

    def sample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        return self.mean + self.sd * torch.randn(*sample_shape, *self.event_shape, dtype=torch.float64)


class NoDraws(diffeo.Target):
    """A target without exact draws."""

    def log_prob(self, theta: Tensor) -> Tensor:
        return -theta.square().sum(-1)


def flow(dim: int = 2, *, base: str = "standard_normal", **fields: Any) -> Any:
    return diffeo.build("model", {"flow": {"base": base, **fields}}, shape=(dim,)).double().eval()


def evaluate(name: str, model: Any, data: Any, folder: Any, **fields: Any) -> dict[str, float]:
    evaluator = diffeo.build("evaluator", {name: fields})
    evaluator.check(model, data)
    return evaluator(model, data, folder)


def test_a_model_that_is_the_target_has_the_evidence_exactly(tmp_path: Any) -> None:
    numbers = evaluate("marginal_likelihood", flow(), Gaussian(), tmp_path, num_samples=500, repetitions=3)
    assert numbers["elbo"] == pytest.approx(SHIFT, abs=1e-12)
    assert numbers["log_marginal"] == pytest.approx(SHIFT, abs=1e-12)
    assert numbers["log_marginal_standard_error"] == pytest.approx(0, abs=1e-12)
    assert numbers["log_marginal_error"] == pytest.approx(0, abs=1e-12)
    assert numbers["true_log_marginal"] == SHIFT
    assert numbers["effective_sample_size"] == pytest.approx(500)
    assert numbers["ess_fraction"] == pytest.approx(1)
    assert numbers["pareto_k"] == 0
    assert numbers["invalid"] == 0


def test_a_wider_model_has_the_elbo_ess_and_evidence_of_the_closed_form(tmp_path: Any) -> None:
    """q = N(0, 1), p = N(0, s^2): ELBO = SHIFT - KL, ESS/N = 1 / E[w^2] = sqrt(2 s^2 - s^4) for s < sqrt 2."""
    s = 0.8
    numbers = evaluate("marginal_likelihood", flow(1), Gaussian(1, sd=s), tmp_path, num_samples=20_000, repetitions=5)
    kl = math.log(s) + 1 / (2 * s**2) - 0.5
    assert numbers["elbo"] == pytest.approx(SHIFT - kl, abs=5 * numbers["elbo_standard_error"] + 1e-9)
    assert numbers["log_marginal"] == pytest.approx(SHIFT, abs=5 * numbers["log_marginal_standard_error"] + 1e-4)
    assert numbers["ess_fraction"] == pytest.approx(s * math.sqrt(2 - s**2), abs=0.01)
    assert numbers["pareto_k"] < 0.5
    assert 0 < numbers["log_marginal_error"] < 0.02


def test_weights_of_a_model_with_too_light_tails_are_warned_of(tmp_path: Any) -> None:
    cauchy = diffeo.CallableTarget(lambda x: StudentT(1.0).log_prob(x).sum(-1), dim=2)
    with pytest.warns(UserWarning, match=r"Pareto k is \d\.\d\d, above 0\.7: a few draws hold most of the weight"):
        numbers = evaluate("marginal_likelihood", flow(), cauchy, tmp_path, num_samples=4000, repetitions=2)
    assert numbers["pareto_k"] > 0.7
    assert "true_log_marginal" not in numbers


def test_the_k_of_pareto_weights_is_their_shape() -> None:
    for shape in (0.2, 0.5, 1.0):
        weights = stats.genpareto(shape).rvs(40_000, random_state=np.random.default_rng(0)) + 1e-3
        assert pareto_k(torch.from_numpy(np.log(weights))) == pytest.approx(shape, abs=0.1)
    assert pareto_k(torch.full((100,), 3.0)) == 0
    assert math.isnan(pareto_k(torch.full((100,), -math.inf)))


def test_ess_and_evidence_survive_weights_that_overflow() -> None:
    log_weight = torch.tensor([[1000.0, 1000.0, -math.inf, -math.inf], [0.0, -math.inf, -math.inf, -math.inf]]).double()
    torch.testing.assert_close(effective_sample_size(log_weight), torch.tensor([2.0, 1.0]).double())
    torch.testing.assert_close(log_marginal(log_weight), torch.tensor([1000 - math.log(2), -math.log(4)]).double())


def test_draws_without_a_finite_weight_count_in_n_and_are_counted(tmp_path: Any) -> None:
    """A half normal through the whole line: half of the draws have no density."""

    def half(x: Tensor) -> Tensor:
        return torch.where(x[..., 0] > 0, Normal(0.0, 1.0).log_prob(x[..., 0]) + math.log(2), torch.nan)

    target = diffeo.CallableTarget(half, dim=1, log_marginal=0.0)
    numbers = evaluate("marginal_likelihood", flow(1), target, tmp_path, num_samples=5000, repetitions=4)
    assert numbers["invalid"] == pytest.approx(10_000, abs=5 * math.sqrt(20_000) / 2)
    assert numbers["elbo"] == pytest.approx(math.log(2), abs=1e-9)
    assert numbers["log_marginal"] == pytest.approx(0, abs=5 * math.sqrt(1 / 20_000))


def test_a_target_without_a_single_finite_weight_has_no_evidence(tmp_path: Any) -> None:
    target = diffeo.CallableTarget(lambda x: x.sum(-1) * math.nan, dim=2)
    numbers = evaluate("marginal_likelihood", flow(), target, tmp_path, num_samples=50, repetitions=2)
    assert numbers["invalid"] == 100
    assert all(math.isnan(numbers[name]) for name in ("elbo", "log_marginal", "effective_sample_size", "pareto_k"))
    with pytest.raises(ValueError, match="expected finite draws for 'posterior_summary'; got none among 50"):
        evaluate("posterior_summary", flow(), target, tmp_path, num_samples=50)


@pytest.mark.parametrize("name", ["marginal_likelihood", "posterior_summary", "posterior_pairs", "sliced_wasserstein"])
def test_draws_follow_from_the_seed_and_chunks_leave_the_generator_alone(name: str, tmp_path: Any) -> None:
    before = torch.get_rng_state()
    fields = {"num_samples": 200, "seed": 3}
    first, again = (evaluate(name, flow(), Gaussian(sd=0.9), tmp_path, **fields) for _ in range(2))
    assert first == again
    assert torch.equal(before, torch.get_rng_state())
    whole = evaluate(name, flow(), Gaussian(sd=0.9), tmp_path, **fields, batch_size=64)
    assert whole.keys() == first.keys()


def table(path: Any) -> dict[str, dict[str, float]]:
    with path.open() as file:
        return {
            row[next(iter(row))]: {key: float(value) for key, value in list(row.items())[1:]}
            for row in csv.DictReader(file)
        }


def test_a_summary_has_the_moments_of_the_model_and_the_weighted_ones_of_the_target(tmp_path: Any) -> None:
    numbers = evaluate("posterior_summary", flow(), Gaussian(mean=0.5), tmp_path, num_samples=40_000, max_parameters=1)
    rows = table(tmp_path / "posterior_summary.csv")
    assert list(rows) == ["theta[0]", "theta[1]"]
    for row in rows.values():
        assert row["mean"] == pytest.approx(0, abs=0.03)
        assert row["sd"] == pytest.approx(1, abs=0.03)
        assert row["q0.05"] == pytest.approx(-1.645, abs=0.05)
        assert row["weighted_mean"] == pytest.approx(0.5, abs=0.05)
        assert row["weighted_sd"] == pytest.approx(1, abs=0.05)
    assert set(numbers) == {"theta[0]_mean", "theta[0]_sd", "theta[0]_weighted_mean"}
    assert "0.05 to the 0.95 quantile of the first 1 of 2" in description(tmp_path / "posterior_summary.png")


def test_parameters_are_shown_constrained_and_by_name(tmp_path: Any) -> None:
    target = diffeo.CallableTarget(
        lambda v: -v["w"].square().sum((-1, -2)) - v["sd"],
        parameters={"w": (2, 2), "sd": ((), constraints.positive)},
    )
    evaluate("posterior_summary", flow(5), target, tmp_path, num_samples=300, quantiles=[0.5])
    rows = table(tmp_path / "posterior_summary.csv")
    assert list(rows) == ["w[0,0]", "w[0,1]", "w[1,0]", "w[1,1]", "sd"]
    assert rows["sd"]["mean"] > 0
    assert select(target, ["sd", "w[1,0]"], torch.zeros(())) == (["sd", "w[1,0]"], [4, 2])
    assert select(target, ["w", "w[0,0]"], torch.zeros(()))[1] == [0, 1, 2, 3]
    named = Gaussian()
    named.entries = {"theta": ("age", "dose")}
    assert select(named, ["theta[dose]"], torch.zeros(())) == (["theta[dose]"], [1])
    evaluate("posterior_pairs", flow(5), target, tmp_path, num_samples=300, parameters=["sd", "w"], max_parameters=3)
    assert description(tmp_path / "posterior_pairs.png") == "Draws of the model, the central 99 % along each axis."


def test_a_corner_plot_shows_exact_draws_where_there_are_any(tmp_path: Any) -> None:
    assert evaluate("posterior_pairs", flow(), Gaussian(), tmp_path, num_samples=500) == {}
    assert description(tmp_path / "posterior_pairs.png").endswith("; orange: exact draws.")


def test_the_distance_of_a_shift_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    x = torch.randn(4000, 5, dtype=torch.float64)
    shift = torch.tensor([3.0, -4.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    axes = directions(5, 2000, x)
    torch.testing.assert_close(axes.norm(dim=0), torch.ones(2000).double())
    assert distance(x @ axes, x @ axes) == 0
    assert distance(x @ axes, (x + shift) @ axes) == pytest.approx(5 / math.sqrt(5), rel=0.05)
    assert distance(x @ axes, 2 * x @ axes) == pytest.approx(1, rel=0.05)  # W2 of N(0, 1) and N(0, 4) is 1
    assert distance(x[:, :1], x[:, :1] + 0.7) == pytest.approx(0.7)


def test_equal_samples_are_as_far_apart_as_the_floor_and_shifted_ones_by_the_shift(tmp_path: Any) -> None:
    fields = {"num_samples": 4000, "projections": 200}
    equal = evaluate("sliced_wasserstein", flow(4), Gaussian(4), tmp_path, **fields)
    assert equal["distance"] < 2 * equal["floor"] < 0.1
    assert equal["nonfinite"] == 0
    moved = evaluate("sliced_wasserstein", flow(4), Gaussian(4, mean=2.0), tmp_path, **fields)
    assert moved["distance"] == pytest.approx(2.0, rel=0.1)  # |c| / sqrt(4) of c = (2, 2, 2, 2)
    one = evaluate("sliced_wasserstein", flow(4), Gaussian(4, mean=2.0), tmp_path, **fields, parameters=["theta[2]"])
    assert one["distance"] == pytest.approx(2.0, rel=0.05)


STRETCH = {"scale_shift": {"scale": 2.0, "trainable": False}}
HALVE = {"invert": {"steps": [STRETCH]}}


@pytest.mark.parametrize(
    ("start", "steps", "factors"),
    [
        ("base", [STRETCH, {"repeat": {"times": 2, "steps": [STRETCH, HALVE]}}], [2, 4, 2, 4, 2]),
        ("base", [{"chain": {"steps": [HALVE, STRETCH, STRETCH]}}], [0.5, 1, 2]),
        ("data", [STRETCH, {"repeat": {"times": 2, "steps": [HALVE, HALVE]}}], [2, 4, 8, 16, 8]),
        ("data", [{"invert": {"steps": [STRETCH, HALVE, STRETCH]}}], [2, 1, 2]),
    ],
)
def test_values_after_every_layer_follow_the_draw(start: str, steps: Any, factors: Any, tmp_path: Any) -> None:
    model = flow(3, start=start, steps=steps)
    numbers = evaluate("value_growth", model, None, tmp_path, num_samples=500, batch_size=123)
    rows = table(tmp_path / "value_growth.csv")
    names = list(rows)
    assert names[0] == "base"
    assert len(names) == len(factors) + 1
    assert numbers["layers"] == len(factors)
    for name, factor in zip(names[1:], factors, strict=True):
        for quantile in ("median", "q75", "q90", "largest"):
            assert rows[name][quantile] == pytest.approx(factor * rows["base"][quantile], rel=1e-5)
    assert numbers["last_largest"] == pytest.approx(rows[names[-1]]["largest"], rel=1e-5)
    assert rows["base"]["median"] == pytest.approx(0.6745, abs=0.05)
    assert numbers["nonfinite"] == 0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = model.sample((500,)).abs().max().item()
    assert numbers["last_largest"] == pytest.approx(drawn, rel=2)


def test_values_that_overflow_are_counted_and_end_the_line(tmp_path: Any) -> None:
    model = flow(
        2,
        start="base",
        steps=[{"repeat": {"times": 9, "steps": [{"scale_shift": {"scale": 1e35, "trainable": False}}]}}],
    )
    numbers = evaluate("value_growth", model, None, tmp_path, num_samples=50)
    assert numbers["nonfinite"] == 1
    assert 1e279 < numbers["largest"] < 1e284
    assert math.isnan(numbers["last_largest"])
    assert "where a line ends, values are not finite" in description(tmp_path / "value_growth.png")
    assert table(tmp_path / "value_growth.csv")["9 scale_shift"]["median"] == math.inf


class Examples(diffeo.Dataset):
    """No examples at all."""

    def __init__(self) -> None:
        super().__init__({"x": (2,)})

    def size(self, split: str) -> int:
        return 0

    def batch(self, split: str, indices: Tensor, seeds: Tensor | None = None) -> dict[str, Tensor]:
        return {"x": torch.zeros(len(indices), 2)}


NOISY = {"dequantization": "uniform"}


@pytest.mark.parametrize(
    ("name", "fields", "model", "data", "message"),
    [
        *(
            (name, {}, {}, Examples(), f"expected a target, a log-density, for the evaluator '{name}'; got Examples")
            for name in ("marginal_likelihood", "posterior_summary", "posterior_pairs", "sliced_wasserstein")
        ),
        *(
            (name, {}, NOISY, Gaussian(), rf"for '{name}'; got a flow that draws noise")
            for name in (
                "marginal_likelihood",
                "posterior_summary",
                "posterior_pairs",
                "sliced_wasserstein",
                "value_growth",
            )
        ),
        ("sliced_wasserstein", {}, {}, NoDraws((2,)), "drawn from exactly, by a method .* got NoDraws, which has none"),
        (
            "posterior_summary",
            {"parameters": ["beta"]},
            {},
            Gaussian(),
            r"or of an entry as in 'theta\[0\]'; got 'beta': there are theta \(2,\)",
        ),
        ("posterior_pairs", {"parameters": ["theta[7]"]}, {}, Gaussian(), r"got 'theta\[7\]': there are theta \(2,\)"),
    ],
)
def test_what_cannot_be_measured_is_told_before_training(
    name: str, fields: Any, model: Any, data: Any, message: str
) -> None:
    evaluator = diffeo.build("evaluator", {name: fields})
    with pytest.raises(ValueError, match=message):
        evaluator.check(flow(**model), data)


def test_a_model_with_a_context_is_refused() -> None:
    model = diffeo.build("model", "flow", shape=(2,), context_shape=(3,))
    with pytest.raises(
        ValueError, match=r"expected a model without a context for 'marginal_likelihood'; got one of shape"
    ):
        diffeo.build("evaluator", "marginal_likelihood").check(model, Gaussian())
