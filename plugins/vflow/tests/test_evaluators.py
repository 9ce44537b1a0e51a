"""Evaluators: what becomes of squares, what sampling clips; and that importance weighting converges to a density."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import diffeo
from diffeo.testing import integral_over_plane, randomize
from diffeo_vflow.config_evaluators import ClippedShare, ModeTransport
from diffeo_vflow.evaluators.clipped_share import ClippedShareEvaluator
from diffeo_vflow.evaluators.mode_transport import ModeTransportEvaluator, apart, near_own_center, squares

pytest.importorskip("diffeo_data", reason="needs diffeo-data, whose checkerboard these flows learn")

GLOW: list[Any] = [
    "actnorm",
    "dense_linear",
    {"coupling": {"network": {"mlp": {"hidden": [24]}}}},
    {"coupling": {"split": {"half": {"swap": True}}, "network": {"mlp": {"hidden": [24]}}}},
]
VFLOW = {"vflow": {"dims": 2, "distribution": {"flow": {"start": "base", "steps": GLOW}}}}


def flow(steps: Any, shape: tuple[int, ...] = (2,), **fields: Any) -> Any:
    torch.manual_seed(0)
    return diffeo.build("model", {"flow": {"steps": steps, **fields}}, shape=shape).double().eval()


@pytest.fixture
def board() -> Any:
    return diffeo.build("dataset", "checkerboard", seed=0)


# The squares


def test_points_are_told_apart_by_their_squares() -> None:
    x = torch.tensor([[-3.5, -3.5], [-2.1, -2.1], [-1.9, -2.1], [3.9, 3.9], [-3.0, -2.5]])
    assert squares(x, 2.0).tolist() == [0, 0, 1, 2, 0]


def test_the_share_near_the_own_center() -> None:
    group = torch.tensor([0, 0, 1, 1])
    assert near_own_center(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), group) == 1.0
    # The centres are 2 and 3, and the outer point of either group is nearer to the other one.
    assert near_own_center(torch.tensor([[0.0], [4.0], [1.0], [5.0]]), group) == 0.5


def test_directions_are_those_in_which_centers_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    group = torch.arange(400) % 2
    noise[:, 3] += 10.0 * group
    shown = apart(noise, group, 1)[:, 0]
    assert abs(float(torch.corrcoef(torch.stack([shown, noise[:, 3]]))[0, 1])) > 0.99


@pytest.mark.parametrize("steps", [[], [VFLOW, *GLOW], [VFLOW, VFLOW]], ids=["plane", "wider", "twice"])
def test_modes_are_drawn(steps: Any, board: Any, tmp_path: Path) -> None:
    numbers = ModeTransportEvaluator(ModeTransport(max_examples=500))(flow(steps), board, tmp_path)
    assert 0.3 < numbers["near_own_center"] <= 1
    assert (tmp_path / "mode_transport.png").stat().st_size > 5000


def test_the_identity_keeps_squares_where_they_are(board: Any, tmp_path: Path) -> None:
    assert ModeTransportEvaluator(ModeTransport())(flow([]), board, tmp_path)["near_own_center"] == 1.0


def test_draws_of_modes_follow_from_the_seed(board: Any, tmp_path: Path) -> None:
    model, config = flow([VFLOW, *GLOW]), ModeTransport(max_examples=500)
    before = torch.get_rng_state()
    first, again = (ModeTransportEvaluator(config)(model, board, tmp_path) for _ in range(2))
    assert first == again
    assert torch.equal(before, torch.get_rng_state())


def test_what_modes_cannot_be_drawn_of(board: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a flow of points on the plane, shape \(2,\), .*; got \(3,\)"):
        ModeTransportEvaluator(ModeTransport()).check(flow([], (3,)), board)
    with pytest.raises(ValueError, match=r"starts at the data and has no context .*; got one that starts at the base"):
        ModeTransportEvaluator(ModeTransport()).check(flow([], start="base"), board)
    with pytest.raises(ValueError, match=r"expected points in at most 64 squares; got .*: set a larger side"):
        ModeTransportEvaluator(ModeTransport(side=0.1))(flow([]), board, tmp_path)


# What is clipped


def mixture(margin: float) -> Any:
    transform = {"mixture_logistic": {"components": 3, "margin": margin}}
    return [
        {"coupling": {"split": {"half": {"swap": swap}}, "transform": transform, "network": {"mlp": {"hidden": [8]}}}}
        for swap in (False, True)
    ]


def test_the_share_of_clipped_values_is_that_of_the_transforms(board: Any, tmp_path: Path) -> None:
    """Counted apart: latents drawn with the same seed, taken back by hand."""
    model = randomize(flow(mixture(0.05), (6,)), 1, 1.0)
    config = ClippedShare(num_samples=400, batch_size=400, temperature=2.0, seed=3)
    numbers = ClippedShareEvaluator(config)(model, board, tmp_path)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(3)
        at = model.base.sample((400,), temperature=2.0)
        flags = []
        for step in reversed(model.steps):
            kept, changed = step.split.part(at)
            flags.append(step.transform.clipped(changed, step.params(kept)))
            at, _ = step.inverse(at)
    shares = [float(flag.double().mean()) for flag in flags]
    assert 0.01 < shares[0] < 0.5
    assert numbers["share"] == pytest.approx(sum(shares) / 2, abs=1e-12)
    assert numbers["worst"] == pytest.approx(max(shares), abs=1e-12)
    assert numbers["of_samples"] == pytest.approx(float(torch.cat(flags, 1).any(1).double().mean()), abs=1e-12)


def test_counting_leaves_the_model_as_it_was(board: Any, tmp_path: Path) -> None:
    model = flow(mixture(0.05), (6,))
    ClippedShareEvaluator(ClippedShare(num_samples=7, batch_size=3))(model, board, tmp_path)
    assert all("inverse" not in vars(module) for module in model.modules())


@pytest.mark.parametrize("steps", [mixture(0.0), GLOW], ids=["without a margin", "affine"])
def test_nothing_is_clipped_where_the_image_is_everything(steps: Any, board: Any, tmp_path: Path) -> None:
    numbers = ClippedShareEvaluator(ClippedShare(num_samples=50))(flow(steps, (6,)), board, tmp_path)
    assert numbers == {"share": 0.0, "worst": 0.0, "of_samples": 0.0}


# Importance weighting


@pytest.fixture(scope="module")
def trained() -> Any:
    """A VFlow of four dimensions that has seen enough of the checkerboard not to be a normal."""
    model, board = flow([VFLOW, *GLOW, *GLOW]), diffeo.build("dataset", "checkerboard", seed=0)
    for layer in model.modules():
        if isinstance(layer, diffeo.DataInitialized):
            layer.initializing = True
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(250):
        x: Tensor = board.batch("train", torch.arange(256 * step, 256 * (step + 1)))["x"].double()
        loss = -model.elbo(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.requires_grad_(requires_grad=False)


def test_the_bound_rises_with_the_number_of_draws(trained: Any, board: Any) -> None:
    x: Tensor = board.batch("test", torch.arange(1000))["x"].double()
    torch.manual_seed(1)
    bounds = [trained.log_prob(x, num_samples=number) for number in (1, 4, 16, 64, 256)]
    rises = []
    for low, high in itertools.pairwise(bounds):
        difference = high - low
        error = float(difference.std()) / len(x) ** 0.5
        assert float(difference.mean()) > -4 * error
        rises.append(float(difference.mean()))
    assert rises[0] > 0.01, "expected a model whose q is not exact, or there is nothing to see"
    assert abs(rises[-1]) < 0.2 * rises[0]


def test_the_bound_converges_to_a_density(trained: Any) -> None:
    """With many draws it integrates to 1 on the plane; it is an average of weights, whose mean is the density."""
    torch.manual_seed(2)
    total = integral_over_plane(
        lambda x: trained.log_prob(x, num_samples=64, chunk=4), (-14.0, 14.0), (-14.0, 14.0), points=140
    )
    assert abs(total - 1) < 0.01


def test_it_is_the_density_that_sampling_has(trained: Any) -> None:
    """Shares of 100,000 draws in the cells of a grid against the density there, within 5 standard errors."""
    torch.manual_seed(3)
    cells = torch.tensor([[-3.0, -3.0], [-1.0, -1.0], [-1.0, 3.0], [1.0, 1.0], [0.0, -4.5]], dtype=torch.float64)
    samples = trained.sample((100_000,))
    for low in cells:
        inside = float(((samples >= low) & (samples < low + 1)).all(1).double().mean())
        mass = integral_over_plane(
            lambda x: trained.log_prob(x, num_samples=256, chunk=16),
            (float(low[0]), float(low[0]) + 1),
            (float(low[1]), float(low[1]) + 1),
            points=24,
        )
        error = (mass * (1 - mass) / 100_000) ** 0.5
        assert abs(inside - mass) < 5 * error + 0.01 * mass


def test_thousands_of_draws_of_one_point_or_of_many(trained: Any) -> None:
    """S = 4096 with the rows of 64 points at once, in the chunks that bound memory."""
    torch.manual_seed(4)
    x = torch.randn(64, 2, dtype=torch.float64)
    many = trained.log_prob(x, num_samples=4096, chunk=64)
    one = trained.log_prob(x[0], num_samples=4096)
    assert many.shape == (64,)
    assert abs(float(many[0] - one)) < 0.2
