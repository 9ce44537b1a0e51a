"""Uniform dequantization: integers come back, the noise is uniform, the law of augmenters holds."""

from typing import Any

import pytest
import torch

import diffeo
from diffeo.testing import CorrelatedNormal, check_augmenter_law, check_strip, integral_over_plane


def uniform(*shape: int) -> Any:
    return diffeo.build("dequantization", "uniform", shape=shape)


def test_two_million_pixels_of_200_come_back() -> None:
    torch.manual_seed(0)
    layer, x = uniform(1), torch.full((2_000_000, 1), 200.0)
    y, _ = layer.augment(x)
    naive = torch.floor(x + torch.rand_like(x))
    assert (naive != x).any(), "the draws must be many enough to meet the rounding this guards against"
    assert torch.equal(layer.strip(y), x)
    assert (y >= x).all()
    assert (y < x + 1).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32, torch.float64])
def test_every_byte_comes_back_in_every_dtype(dtype: torch.dtype) -> None:
    x = torch.arange(256).to(dtype).reshape(64, 4)
    y, log_weight = uniform(4).augment(x)
    assert y.dtype == (dtype if dtype.is_floating_point else torch.float32)
    assert torch.equal(log_weight, torch.zeros(64))
    check_strip(uniform(4), x)


def test_negative_and_large_integers_come_back() -> None:
    torch.manual_seed(0)
    layer, x = uniform(3), torch.tensor([-(2.0**22), -1.0, 2.0**23 - 1]).expand(100_000, 3)
    assert torch.equal(layer.strip(layer.augment(x)[0]), x)


def test_noise_is_uniform() -> None:
    torch.manual_seed(0)
    u = uniform(1).augment(torch.full((100_000, 1), 7.0, dtype=torch.float64))[0] - 7
    # Four standard errors: the variance of U is 1/12, that of (U - 1/2)^2 is 1/180.
    assert abs(float(u.mean()) - 1 / 2) < 4 * (1 / 12 / 100_000) ** 0.5
    assert abs(float(((u - 0.5) ** 2).mean()) - 1 / 12) < 4 * (1 / 180 / 100_000) ** 0.5


def test_law_of_augmenters() -> None:
    """E[p(x + u)] is the mass of p on the unit square at x, here by quadrature."""
    density = CorrelatedNormal(2, seed=1)
    x = torch.tensor([[0.0, 0.0], [-1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    masses = [integral_over_plane(density.log_prob, (a, a + 1), (b, b + 1)) for a, b in x.tolist()]
    check_augmenter_law(uniform(2), x, density.log_prob, lambda _: torch.tensor(masses, dtype=torch.float64).log())


def test_gradients_reach_floating_inputs() -> None:
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    uniform(2).augment(x)[0].sum().backward()
    assert torch.equal(x.grad, torch.ones(2))


def test_compiles_and_vmaps() -> None:
    layer, x = uniform(4), torch.full((6, 4), 200.0)
    compiled = torch.compile(layer.augment, fullgraph=True, backend="aot_eager")
    assert torch.equal(layer.strip(compiled(x)[0]), x)
    mapped = torch.func.vmap(layer.augment, randomness="different")(x)[0]
    assert torch.equal(layer.strip(mapped), x)
    assert mapped.unique(dim=0).shape[0] == 6
