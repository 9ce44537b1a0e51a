"""The synthetic data: covariance, exact density, and the examples of the paper's seeds."""

import math

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo_nested_dropout.rotated_gaussian import mixing_matrix


@pytest.fixture(scope="module")
def data():
    return diffeo.build("dataset", "rotated_gaussian", seed=5)


def test_the_axes_have_variances_1_a_tenth_and_a_hundredth():
    mixing = torch.tensor(mixing_matrix())
    assert_close(
        torch.linalg.eigvalsh(mixing @ mixing.mT), torch.tensor([0.01, 0.1, 1.0]).double(), atol=1e-7, rtol=1e-7
    )
    # First about x, then y, then z: e1 stays under Rx, goes to (1, 0, -1) / sqrt 2 under Ry and to (1, 1, -sqrt 2) / 2 under Rz.
    assert_close(mixing[:, 0], torch.tensor([0.5, 0.5, -math.sqrt(0.5)], dtype=torch.float64), atol=1e-12, rtol=0)


def test_the_density_is_that_of_the_normal(data):
    mixing = torch.tensor(mixing_matrix())
    x = torch.randn(5, 3, dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.zeros(3).double(), mixing @ mixing.mT)
    assert_close(data.log_prob(x), normal.log_prob(x), atol=1e-9, rtol=0)


@pytest.mark.parametrize(("split", "expected"), [("val", -0.8149), ("test", -0.7869)])
def test_the_examples_are_those_of_the_frozen_generator(data, split, expected):
    """Their exact log-likelihood, which differs from the expectation -3/2 (1 + log 2 pi) + log(1000) / 2 = -0.8029."""
    x = data.batch(split, torch.arange(10_000))["x"].double()
    assert float(data.log_prob(x).mean()) == pytest.approx(expected, abs=5e-5)


def test_principal_axes_of_the_training_data_on_validation_data(data):
    train, val = (data.batch(split, torch.arange(10_000))["x"].double() for split in ("train", "val"))
    _, axes = torch.linalg.eigh(train.mT @ train)
    for kept, expected in ((2, 0.00336), (1, 0.03722)):
        basis = axes[:, 3 - kept :]
        assert float((val - val @ basis @ basis.mT).square().mean()) == pytest.approx(expected, abs=5e-6)
