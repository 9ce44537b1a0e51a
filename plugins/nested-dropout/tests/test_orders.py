"""Numbers of latents: the probabilities of the paper's settings, and ranks."""

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo_nested_dropout import latent_ranks


def test_the_geometric_tail_keeps_everything():
    """p = 0.33 over 3 latents, and p = 1e-3 over 1024 of them, where (1 - p)^1023 of the draws drop nothing."""
    three = diffeo.build("order", {"geometric": {"p": 0.33}}, shape=(3,)).probabilities()
    assert_close(three, torch.tensor([0.33, 0.2211, 0.4489], dtype=torch.float64), atol=1e-12, rtol=0)
    many = diffeo.build("order", {"geometric": {"p": 1e-3}}, shape=(1024,)).probabilities()
    assert float(many[-1]) == pytest.approx(0.999**1023, rel=1e-12)
    assert float(many[-1]) == pytest.approx(0.359, abs=1e-3)


@pytest.mark.parametrize("spec", [{"geometric": {"p": 0.01}}, "uniform", {"categorical": {"sizes": [3, 50]}}], ids=str)
def test_draws_have_those_probabilities_in_float32(spec):
    """Chi-squared over the outcomes: within 5 standard deviations of its mean, the number of outcomes less one."""
    order = diffeo.build("order", spec, shape=(64,))
    draws = 200_000
    kept = order.quantile(torch.rand(draws, generator=torch.Generator().manual_seed(0)))
    expected = draws * order.probabilities()
    counts = torch.bincount(kept - 1, minlength=64)
    assert not counts[expected == 0].any()
    possible = expected > 0
    chi = ((counts - expected).square() / expected)[possible].sum()
    freedom = int(possible.sum()) - 1
    assert abs(float(chi) - freedom) < 5 * (2 * freedom) ** 0.5


def test_the_ends_of_the_unit_interval():
    u = torch.tensor([0.0, 1 - 2**-24])
    for spec in ({"geometric": {"p": 0.33}}, {"geometric": {"p": 1.0}}, "uniform", {"categorical": {"sizes": [2, 7]}}):
        kept = diffeo.build("order", spec, shape=(7,)).quantile(u)
        assert 1 <= kept[0] <= kept[1] <= 7


def test_ranks():
    assert latent_ranks("natural", 4).tolist() == [0, 1, 2, 3]
    assert latent_ranks("reversed", 4).tolist() == [3, 2, 1, 0]
    assert sorted(latent_ranks("random", 50).tolist()) == list(range(50))
    assert torch.equal(latent_ranks("random", 50), latent_ranks("random", 50))


def test_an_order_is_of_a_row():
    with pytest.raises(ValueError, match=r"expected the shape \(D,\) of a row of units; got \(2, 3\)"):
        diffeo.build("order", "uniform", shape=(2, 3))
