import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from diffeo import Dataset, build
from diffeo.config_evaluators import Density2D, Likelihood, SampleGrid
from diffeo.dataset import Target
from diffeo.evaluators.density_2d import Density2DEvaluator
from diffeo.evaluators.likelihood import LikelihoodEvaluator, dequantized_gaussian
from diffeo.evaluators.pictures import contact_sheet
from diffeo.evaluators.sample_grid import SampleGridEvaluator, to_unit_range
from diffeo.png import description


class Table(Dataset):
    """Splits held in memory."""

    def __init__(self, **splits):
        first = next(iter(splits.values()))
        super().__init__({key: tuple(value.shape[1:]) for key, value in first.items()})
        self.splits = splits

    def size(self, split):
        return len(self.splits[split]["x"]) if split in self.splits else 0

    def batch(self, split, indices, seeds=None):
        return {key: value[indices] for key, value in self.splits[split].items()}


class Endless(Dataset):
    def __init__(self):
        super().__init__({"x": (2,)})

    def size(self, split):
        return None

    def batch(self, split, indices, seeds=None):
        return {"x": torch.randn(len(indices), 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)}


class Bowl(Target):
    def __init__(self):
        super().__init__((2,))

    def log_prob(self, theta):
        return -theta.square().sum(-1) / 2


def normal(dim=2, **fields):
    return build("model", {"flow": fields}, shape=(dim,)).double().eval()


@pytest.fixture
def points():
    return torch.randn(300, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1.5 + 0.3


@pytest.fixture
def dice():
    generator = torch.Generator().manual_seed(2)
    return Table(
        **{
            split: {"x": torch.randint(6, (200, 2), generator=generator, dtype=torch.uint8)}
            for split in ("train", "test")
        }
    )


def test_likelihood_of_an_exact_flow_is_the_mean_log_density(points, tmp_path):
    numbers = LikelihoodEvaluator(Likelihood(batch_size=64))(normal(), Table(test={"x": points}), tmp_path)
    expected = -0.5 * points.square().sum(-1) - math.log(2 * math.pi)
    assert numbers["log_prob"] == pytest.approx(float(expected.mean()), abs=1e-12)
    assert numbers["standard_error"] == pytest.approx(float(expected.std()) / math.sqrt(300), abs=1e-12)
    assert numbers["bits_per_dim"] == pytest.approx(-float(expected.mean()) / (2 * math.log(2)), abs=1e-12)
    assert numbers["num_examples"] == 300
    assert not {"elbo", "gaussian_bits_per_dim"} & set(numbers)


def test_the_batch_size_does_not_change_a_likelihood(points, tmp_path):
    small, large = (
        LikelihoodEvaluator(Likelihood(batch_size=size))(normal(), Table(test={"x": points}), tmp_path)
        for size in (7, 500)
    )
    assert small == pytest.approx(large, abs=1e-12)


def test_only_so_many_examples_are_measured(points, tmp_path):
    data = Table(test={"x": points})
    numbers = LikelihoodEvaluator(Likelihood(max_examples=50, batch_size=20))(normal(), data, tmp_path)
    assert numbers["num_examples"] == 50
    assert numbers["log_prob"] == pytest.approx(float(normal().log_prob(points[:50]).mean()), abs=1e-12)


def test_an_importance_weighted_bound_stands_beside_the_elbo_and_is_no_lower(tmp_path, points):
    model = normal(steps=[{"append": {"extra": 1}}])
    numbers = LikelihoodEvaluator(Likelihood(num_samples=64))(model, Table(test={"x": points}), tmp_path)
    alone = LikelihoodEvaluator(Likelihood())(model, Table(test={"x": points}), tmp_path)
    assert alone["log_prob"] == alone["elbo"]
    assert numbers["log_prob"] > numbers["elbo"]
    assert numbers["elbo_standard_error"] > numbers["standard_error"]
    assert numbers["elbo_bits_per_dim"] == pytest.approx(-numbers["elbo"] / (2 * math.log(2)), abs=1e-12)
    # log N(x; 0, 1) is the truth: the appended noise integrates out, up to its mean x1 + x2, which the bound pays for.
    assert numbers["log_prob"] <= float(normal().log_prob(points).mean())


def test_no_more_draws_are_taken_at_once_than_asked_for(tmp_path, points):
    model, rows = normal(steps=[{"append": {"extra": 1}}]), []
    log_density = model.base.log_prob
    model.base.log_prob = lambda x, **arguments: (rows.append(x[..., 0].numel()), log_density(x, **arguments))[1]
    config = Likelihood(num_samples=4096, chunk=500, max_examples=3)
    numbers = LikelihoodEvaluator(config)(model, Table(test={"x": points}), tmp_path)
    assert (max(rows), sum(rows)) == (1500, 3 * (1 + 4096))
    assert numbers["log_prob"] == pytest.approx(float(normal().log_prob(points[:3]).mean()), abs=0.2)


def test_draws_follow_from_the_seed_and_leave_the_generator_alone(tmp_path, dice):
    model = normal(dequantization="jitter")
    before = torch.get_rng_state()
    first, again = (LikelihoodEvaluator(Likelihood(seed=3))(model, dice, tmp_path) for _ in range(2))
    other = LikelihoodEvaluator(Likelihood(seed=4))(model, dice, tmp_path)
    assert first == again
    assert first["log_prob"] != other["log_prob"]
    assert torch.equal(before, torch.get_rng_state())


def test_the_gaussian_baseline_is_the_expectation_over_the_dequantization():
    x = torch.tensor([[0.0, 3.0], [5.0, 1.0]], dtype=torch.float64)
    mean, variance = torch.tensor([2.0, 2.5], dtype=torch.float64), torch.tensor([1.7, 0.4], dtype=torch.float64)
    u = (torch.arange(20_000, dtype=torch.float64)[:, None, None] + 0.5) / 20_000
    quadrature = torch.distributions.Normal(mean, variance.sqrt()).log_prob(x + u).sum(-1).mean(0)
    assert torch.allclose(dequantized_gaussian(x, mean, variance), quadrature, rtol=0, atol=1e-8)


def test_the_baseline_is_fitted_to_training_data_and_survives_a_constant_entry(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(6, (500, 2), generator=generator, dtype=torch.uint8)
    x[:, 1] = 0
    data = Table(train={"x": x}, test={"x": x})
    numbers = LikelihoodEvaluator(Likelihood())(normal(dequantization="jitter"), data, tmp_path)
    y = x[:, 0].double()
    variances = torch.stack([y.var(correction=0) + 1 / 12, torch.tensor(1 / 12, dtype=torch.float64)])
    entropy = 0.5 * (1 + torch.log(2 * math.pi * variances)).sum()  # of a Gaussian measured on what it was fitted to
    assert numbers["gaussian_bits_per_dim"] == pytest.approx(float(entropy) / (2 * math.log(2)), abs=1e-9)
    without = LikelihoodEvaluator(Likelihood(baseline=False))(normal(dequantization="jitter"), data, tmp_path)
    assert "gaussian_bits_per_dim" not in without


@pytest.mark.parametrize(
    ("data", "config", "message"),
    [
        (Bowl(), Likelihood(), "expected a data set for the evaluator 'likelihood'; got Bowl"),
        (Endless(), Likelihood(max_examples=None), "expected max_examples for an endless data set; got None"),
        (Table(train={"x": torch.zeros(3, 2)}), Likelihood(), "expected a data set with a split 'test'; got none"),
    ],
)
def test_data_that_cannot_be_measured_are_an_error(data, config, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        LikelihoodEvaluator(config)(normal(), data, tmp_path)


def test_pixels_are_scaled_by_the_bits_of_the_data():
    five_bits = torch.tensor([0, 31], dtype=torch.uint8)
    assert to_unit_range(torch.tensor([0.0, 15.5, 31.0, 40.0]), five_bits).tolist() == [0, 0.5, 1, 1]
    assert to_unit_range(torch.tensor([255]), torch.tensor([200], dtype=torch.uint8)).tolist() == [1]
    assert to_unit_range(torch.tensor([0.0]), torch.tensor([0], dtype=torch.uint8)).tolist() == [0]
    assert to_unit_range(torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([-1.0, 1.0])).tolist() == [0, 0.5, 1]


def test_a_contact_sheet_keeps_every_pixel():
    images = np.random.default_rng(0).random((2, 3, 3, 4, 5))
    sheet = contact_sheet(images, gap=2)
    assert sheet.shape == (2 * 4 + 2, 3 * 5 + 2 * 2, 3)
    assert np.array_equal(sheet[6:10, 14:19], np.moveaxis(images[1, 2], 0, -1))
    assert (sheet[4:6] == 1).all()
    with pytest.raises(ValueError, match="1 or 3 channels; got 2"):
        contact_sheet(np.zeros((1, 1, 2, 4, 4)))


class Shades:
    """Stands for an image flow: class k is a grey square of 20 (k + 1)."""

    is_exact, dequantization, like = False, object(), torch.zeros(())

    def __init__(self, event_shape=(1, 8, 8), context_shape=None):
        self.event_shape, self.context_shape = event_shape, context_shape

    def sample(self, sample_shape=(), context=None, temperature=1.0):
        if context is None:
            return torch.full((*sample_shape, *self.event_shape), 77.0)
        shade = 20 * (context.argmax(-1) + 1.0)
        return shade[:, None, None, None].expand(*sample_shape, len(context), *self.event_shape)


def levels_down(path, wanted):
    """Which of the wanted grey levels stand from top to bottom, in the column of the picture with the most of them."""
    grey = (imread(path)[..., 0] * 255).round().astype(int)
    columns = [list(dict.fromkeys(column.tolist())) for column in grey.T[:: max(1, grey.shape[1] // 400)]]
    return max(([level for level in column if level in wanted] for column in columns), key=len)


def test_classes_stand_in_rows_in_their_order(tmp_path):
    labels = torch.arange(40) % 4
    images = (20 * (labels + 1))[:, None, None, None].expand(-1, 1, 8, 8).to(torch.uint8).clone()
    images[0, 0, 0, 0] = 255
    data = Table(test={"x": images, "context": torch.nn.functional.one_hot(labels, 4)})
    assert SampleGridEvaluator(SampleGrid(columns=6))(Shades(context_shape=(4,)), data, tmp_path) == {}
    assert levels_down(tmp_path / "sample_grid.png", (20, 40, 60, 80)) == [20, 40, 60, 80]
    assert "one row per class" in description(tmp_path / "sample_grid.png")


@pytest.mark.parametrize("context", [None, torch.randn(40, 3)])
@pytest.mark.parametrize("real", [True, False])
def test_samples_without_classes_make_a_sheet(context, real, tmp_path):
    images = torch.full((40, 3, 8, 8), 100, dtype=torch.uint8)
    data = Table(test={"x": images} | ({} if context is None else {"context": context}))
    model = Shades((3, 8, 8), None if context is None else (3,))
    SampleGridEvaluator(SampleGrid(rows=3, columns=4, real=real))(model, data, tmp_path)
    wide, high = imread(tmp_path / "sample_grid.png").shape[1::-1]
    assert wide > high
    assert description(tmp_path / "sample_grid.png").startswith("Samples of the flow")


def test_a_sheet_needs_images(tmp_path, points):
    with pytest.raises(ValueError, match=r"expected images of shape \(1 or 3, H, W\) for 'sample_grid'; got \(2,\)"):
        SampleGridEvaluator(SampleGrid())(normal(), Table(test={"x": points}), tmp_path)


@pytest.mark.parametrize("data", [Endless(), Bowl()])
def test_a_density_on_the_plane_has_mass_one(data, tmp_path):
    numbers = Density2DEvaluator(Density2D(margin=0.4))(normal(), data, tmp_path)
    assert numbers["mass"] == pytest.approx(1, abs=2e-4)
    assert (tmp_path / "density_2d.png").stat().st_size > 5000


def test_the_panels_say_what_they_are(tmp_path):
    Density2DEvaluator(Density2D(resolution=20))(normal(), Bowl(), tmp_path)
    assert "draws of the model, model, true density" in description(tmp_path / "density_2d.png")
    Density2DEvaluator(Density2D(resolution=20))(normal(), Endless(), tmp_path)
    assert "held-out data, model;" in description(tmp_path / "density_2d.png")


def test_a_wrong_log_determinant_shows_in_the_mass(tmp_path):
    class Wrong:
        event_shape, context_shape, is_exact, like = (2,), None, True, torch.zeros((), dtype=torch.float64)

        def log_prob(self, x, context=None, num_samples=None):
            return normal().log_prob(x) + math.log(1.5)

    assert Density2DEvaluator(Density2D(margin=0.4))(Wrong(), Endless(), tmp_path)["mass"] == pytest.approx(
        1.5, abs=1e-3
    )


@pytest.mark.parametrize("num_contexts", [3, 100])
def test_a_conditional_density_is_averaged_over_contexts(num_contexts, tmp_path):
    contexts = torch.randn(num_contexts, 2, dtype=torch.float64).repeat(300 // num_contexts, 1)
    x = torch.randn(len(contexts), 2, dtype=torch.float64) * 3
    model = build("model", {"flow": {"steps": ["stretch"]}}, shape=(2,), context_shape=(2,)).double().eval()
    config = Density2D(resolution=60, margin=1.0)
    numbers = Density2DEvaluator(config)(model, Table(test={"x": x, "context": contexts}), tmp_path)
    assert numbers["mass"] == pytest.approx(1, abs=1e-3)


def test_a_density_of_a_flow_that_draws_noise(tmp_path):
    model = normal(steps=[{"append": {"extra": 1}}])
    config = Density2D(resolution=40, margin=1.0, num_samples=16)
    mass = Density2DEvaluator(config)(model, Endless(), tmp_path)["mass"]
    assert 0.3 < mass < 1.05


def test_drawing_leaves_pyplot_alone(tmp_path):
    code = """
import sys, torch, pathlib
from diffeo.evaluators import density_2d, likelihood, sample_grid
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
