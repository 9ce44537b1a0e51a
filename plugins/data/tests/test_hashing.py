import numpy as np
import torch

from diffeo_data.hashing import GOLDEN_GAMMA, _mix, derive_key, permutation, uniforms


def test_mixing_is_that_of_splitmix64():
    """The first words of the paper's generator from seed 1234567, as published with Java's and Rust's implementations."""
    state = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * GOLDEN_GAMMA
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert _mix(state).tolist() == expected


def test_uniforms_are_uniform_and_independent():
    u = uniforms(torch.arange(40_000), 4)
    assert u.dtype == torch.float64
    assert ((u > 0) & (u < 1)).all()
    # 4 standard errors of a mean of 40,000 and of a correlation of two such columns.
    assert (u.mean(0) - 0.5).abs().max() < 4 * (1 / 12) ** 0.5 / 200
    correlation = torch.corrcoef(u.T) - torch.eye(4)
    assert correlation.abs().max() < 4 / 200
    lagged = torch.corrcoef(torch.stack([u[:-1, 0], u[1:, 0]]))[0, 1]
    assert abs(lagged) < 4 / 200
    counts = torch.histc(u.flatten(), bins=100, min=0, max=1)
    chi2 = ((counts - 1600) ** 2 / 1600).sum()
    assert abs(chi2 - 99) < 4 * (2 * 99) ** 0.5


def test_more_uniforms_extend_fewer():
    keys = torch.tensor([3, -1, 2**63 - 1])
    assert torch.equal(uniforms(keys, 5)[:, :2], uniforms(keys, 2))


def test_permutation_is_one_and_follows_its_key():
    order = permutation(derive_key(0, "a"), 1000)
    assert torch.equal(order.sort().values, torch.arange(1000))
    assert torch.equal(order, permutation(derive_key(0, "a"), 1000))
    assert not torch.equal(order, permutation(derive_key(1, "a"), 1000))
    assert not torch.equal(order, permutation(derive_key(0, "b"), 1000))
    assert permutation(derive_key(0, "a"), 6).tolist() == [2, 0, 4, 5, 1, 3]  # never to change: runs are resumed
