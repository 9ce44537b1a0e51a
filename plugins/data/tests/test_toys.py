import math

import pytest
import torch

from diffeo_data import (
    Checkerboard,
    CheckerboardDataset,
    EightGaussians,
    EightGaussiansDataset,
    Pinwheel,
    PinwheelDataset,
    Rings,
    RingsDataset,
    TwoMoons,
    TwoMoonsDataset,
    TwoSpirals,
    TwoSpiralsDataset,
    toy_math,
)
from diffeo_data.hashing import uniforms

MANY = 40_000

# Each with a box that holds it: its curves plus six standard deviations of the noise (nine for the pinwheel's bent arms).
TOYS = {
    "checkerboard": (CheckerboardDataset, Checkerboard, (-4, 4), (-4, 4)),
    "two_moons": (TwoMoonsDataset, TwoMoons, (-4.2, 4.2), (-2.4, 3.0)),
    "eight_gaussians": (EightGaussiansDataset, EightGaussians, (-4.95, 4.95), (-4.95, 4.95)),
    "rings": (RingsDataset, Rings, (-3.48, 3.48), (-3.48, 3.48)),
    "pinwheel": (PinwheelDataset, Pinwheel, (-7.4, 7.4), (-7.4, 7.4)),
    "two_spirals": (TwoSpiralsDataset, TwoSpirals, (-3.91, 3.91), (-3.91, 3.91)),
}


def draws(name, num=MANY):
    implementation, config, *_ = TOYS[name]
    return implementation(config(), seed=0).batch("train", torch.arange(num), torch.arange(num))["x"]


@pytest.mark.parametrize("name", TOYS)
def test_draws_are_finite_and_in_range(name):
    x = draws(name)
    assert x.dtype == torch.float32
    assert torch.isfinite(x).all()
    for column, (low, high) in zip(x.T, TOYS[name][2:], strict=True):
        assert low <= column.min()
        assert column.max() <= high


@pytest.mark.parametrize("name", TOYS)
def test_training_is_endless_and_fresh(name):
    implementation, config, *_ = TOYS[name]
    data = implementation(config(), seed=0)
    assert data.size("train") is None
    index = torch.zeros(1000, dtype=torch.int64)
    x = data.batch("train", index, torch.arange(1000))["x"]
    assert len(x.unique(dim=0)) == 1000
    far = data.batch("train", torch.tensor([2**62]))["x"]
    assert torch.isfinite(far).all()


@pytest.mark.parametrize("name", TOYS)
def test_held_out_points_differ_from_each_other_and_by_seed(name):
    implementation, config, *_ = TOYS[name]
    x = [
        implementation(config(), seed).batch(split, torch.arange(100))["x"]
        for seed in (0, 1)
        for split in ("train", "val", "test")
    ]
    assert len(torch.cat(x).unique(dim=0)) == 600


def midpoint_integral(log_prob, half_width, cells):
    """Integral over [-w, w]^2 by the midpoint rule."""
    step = 2 * half_width / cells
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * step - half_width
    grid = torch.cartesian_prod(axis, axis)
    return float(log_prob(grid).exp().sum()) * step**2


def test_checkerboard_density_integrates_to_one():
    assert midpoint_integral(toy_math.checkerboard_log_prob, 5, 500) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("noise", [0.05, 0.3535533905932738])
def test_gaussians_density_integrates_to_one(noise):
    data = EightGaussiansDataset(EightGaussians(noise=noise), seed=0)
    assert midpoint_integral(data.log_prob, 6, 1200) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("noise", [0.08, 0.5])
def test_rings_density_integrates_to_one(noise):
    data = RingsDataset(Rings(noise=noise), seed=0)
    assert midpoint_integral(data.log_prob, 7, 1400) == pytest.approx(1, abs=1e-9)


def test_checkerboard_points_fill_the_squares_evenly():
    x = draws("checkerboard")
    assert torch.equal(toy_math.checkerboard_log_prob(x), torch.full((MANY,), -math.log(32)))
    squares = torch.floor(x / 2).long() + 2
    counts = torch.bincount(4 * squares[:, 0] + squares[:, 1], minlength=16).reshape(4, 4)
    first, second = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    on = (first + second) % 2 == 0
    assert (counts[~on] == 0).all()
    error = math.sqrt(MANY * (1 / 8) * (7 / 8))
    assert ((counts[on] - MANY / 8).abs() < 4 * error).all()


def test_checkerboard_edges_belong_to_the_squares():
    edges = torch.tensor([[-4.0, -4.0], [-2.0, -3.0], [4.0, 4.0], [4.0, 3.0], [0.0, 0.0], [-3.0, -2.0]])
    assert torch.equal(toy_math.checkerboard_log_prob(edges), torch.full((6,), -math.log(32)))
    outside = torch.tensor([[-1.0, -3.0], [5.0, 5.0], [4.0001, 3.0], [0.0, 4.5], [-6.0, -6.0]])
    assert torch.equal(toy_math.checkerboard_log_prob(outside), torch.full((5,), -math.inf))


def test_log_prob_takes_any_batch_shape():
    x = torch.randn(3, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for data in (
        CheckerboardDataset(Checkerboard(), 0),
        EightGaussiansDataset(EightGaussians(), 0),
        RingsDataset(Rings(), 0),
    ):
        for points in (x, x[:0], x[0, 0]):
            values = data.log_prob(points)
            assert values.shape == points.shape[:-1]
            assert values.dtype == torch.float64
        assert torch.equal(data.log_prob(x)[1, 2], data.log_prob(x[1, 2]))


@pytest.mark.parametrize("name", ["eight_gaussians", "rings"])
def test_draws_follow_the_exact_density(name):
    """The mean of log p over draws is minus the entropy, which quadrature gives too."""
    implementation, config, *_ = TOYS[name]
    data = implementation(config(), seed=0)
    values = data.log_prob(draws(name).double())
    step = 12 / 1200
    axis = (torch.arange(1200, dtype=torch.float64) + 0.5) * step - 6
    log_p = data.log_prob(torch.cartesian_prod(axis, axis))
    entropy = -float((log_p.exp() * log_p.clamp(min=-700)).sum()) * step**2
    assert abs(float(values.mean()) + entropy) < 4 * float(values.std()) / math.sqrt(MANY)


def test_rings_density_equals_the_integral_over_the_angle():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.5], [3.1, 0.0], [-2.0, 2.0]], dtype=torch.float64)
    angles = (torch.arange(20_000, dtype=torch.float64) + 0.5) * (2 * math.pi / 20_000)
    circles = torch.stack([r * torch.stack([angles.cos(), angles.sin()], 1) for r in toy_math.RING_RADII])
    squares = ((x[:, None, None] - circles) ** 2).sum(-1)
    noise = 0.3
    expected = torch.exp(-squares / (2 * noise**2)).mean((1, 2)) / (2 * math.pi * noise**2)
    torch.testing.assert_close(toy_math.rings_log_prob(x, noise), expected.log(), rtol=0, atol=1e-10)


def test_without_noise_points_lie_on_their_curves():
    u = uniforms(torch.arange(1000), 6)
    moons = toy_math.two_moons(u[:, :4], 0.0) + torch.tensor([1.0, 0.2], dtype=torch.float64)
    upper, lower = moons.norm(dim=1), (moons - torch.tensor([2.0, 1.0])).norm(dim=1)
    assert torch.minimum((upper - 2).abs(), (lower - 2).abs()).max() < 1e-12
    spiral = 3 * toy_math.two_spirals(torch.cat([u[:, :1], 0 * u[:, :2], u[:, 3:]], 1), 0.0)
    angle = 3 * math.pi * u[:, 0].sqrt()
    assert (spiral.norm(dim=1) - angle).abs().max() < 1e-12
    assert (spiral[:, 0].abs() - (angle * angle.cos()).abs()).abs().max() < 1e-12


def test_eight_gaussians_are_equally_likely_and_as_wide_as_said():
    x = draws("eight_gaussians").double()
    centres = toy_math._gaussian_centres(torch.float64)
    distance, nearest = torch.cdist(x, centres).min(1)
    counts = torch.bincount(nearest, minlength=8)
    assert ((counts - MANY / 8).abs() < 4 * math.sqrt(MANY * 7 / 64)).all()
    # Squared distances over 2 sigma^2 are exponential with mean 1; neighbours take 0.2 % of them.
    assert float((distance**2).mean() / (2 * 0.125)) == pytest.approx(1, abs=4 / math.sqrt(MANY) + 0.02)


def test_pinwheel_has_five_arms_alike():
    x = draws("pinwheel").double()
    turn = 2 * math.pi / 5
    rotation = torch.tensor([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]], dtype=torch.float64)
    features = torch.stack([x[:, 0], x[:, 1], x[:, 0] ** 2, x[:, 1] ** 2, x[:, 0] * x[:, 1]], 1)
    y = x @ rotation
    turned = torch.stack([y[:, 0], y[:, 1], y[:, 0] ** 2, y[:, 1] ** 2, y[:, 0] * y[:, 1]], 1)
    difference = features - turned
    assert (difference.mean(0).abs() < 4 * difference.std(0) / math.sqrt(MANY)).all()
    assert float(x.norm(dim=1).median()) == pytest.approx(2.0, abs=0.05)


def test_beyond_the_held_out_points_is_an_error():
    data = RingsDataset(Rings(num_val=10), seed=0)
    with pytest.raises(IndexError, match=r"^expected indices of val in 0\.\.9; got \[3, 10\]$"):
        data.batch("val", torch.tensor([3, 10]))
    with pytest.raises(ValueError, match="noise: expected a value > 0; got 0"):
        Rings(noise=0.0)
