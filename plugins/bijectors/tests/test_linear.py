"""Linear maps against dense algebra: determinants, factors, reflections one by one, initial values, errors."""

import math
from typing import Any

import pytest
import torch

import diffeo
from diffeo.testing import randomize
from diffeo_bijectors.qr import reflect, reflect_back

LINEAR = ["lu_linear", "qr_linear", {"lu_linear": {"permute": False}}, {"qr_linear": {"reflections": 3}}]


def build(spec: Any, *shape: int, seed: int | None = 0) -> Any:
    torch.manual_seed(7)
    layer = diffeo.build("bijector", spec, shape=shape).double()
    return layer if seed is None else randomize(layer, seed)


def weight(layer: Any) -> torch.Tensor:
    """The matrix of a linear layer on vectors: its columns are the images of the unit vectors, less the bias."""
    (size,) = layer.in_shape
    return (layer(torch.eye(size, dtype=torch.float64))[0] - layer.bias).mT.detach()


@pytest.mark.parametrize("spec", LINEAR, ids=str)
def test_log_det_is_that_of_the_matrix(spec: Any) -> None:
    layer = build(spec, 6)
    _, log_det = layer(torch.zeros(1, 6, dtype=torch.float64))
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(weight(layer)).logabsdet)


def test_lu_is_the_product_of_its_factors() -> None:
    layer = build("lu_linear", 5)
    lower, upper = layer.matrix.factors()
    permutation = torch.eye(5, dtype=torch.float64)[layer.matrix.indices]
    torch.testing.assert_close(weight(layer), (lower @ upper @ permutation).detach())
    assert torch.equal(lower, lower.tril())
    assert torch.equal(lower.diagonal(), torch.ones(5, dtype=torch.float64))
    assert torch.equal(upper, upper.triu())
    torch.testing.assert_close(upper.diagonal(), torch.nn.functional.softplus(layer.matrix.raw_diagonal) + 1e-3)


def test_lu_starts_as_its_permutation() -> None:
    layer = build("lu_linear", 5, seed=None)
    x = torch.randn(4, 5, dtype=torch.float64)
    y, log_det = layer(x)
    torch.testing.assert_close(y, x[:, layer.matrix.indices], atol=1e-6, rtol=0)
    torch.testing.assert_close(log_det, torch.zeros(4, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["lu_linear", "qr_linear"])
def test_uniform_init_stays_within_its_bound(name: str) -> None:
    layer = build({name: {"init": "uniform"}}, 100, seed=None)
    matrix = layer.matrix if name == "lu_linear" else layer
    diagonal = matrix.raw_diagonal if name == "lu_linear" else matrix.log_diagonal
    for values in (matrix.entries, diagonal):
        assert values.abs().max() <= 1 / math.sqrt(100)
        assert values.abs().max() > 0.9 / math.sqrt(100)
    assert torch.equal(layer.bias, torch.zeros(100, dtype=torch.float64))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_reflections_equal_householder_matrices_one_by_one(count: int) -> None:
    vectors, x = torch.randn(count, 5, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    expected = x
    for v in vectors:
        expected = expected - 2 * (expected @ v / (v @ v))[:, None] * v
    torch.testing.assert_close(reflect(x, vectors), expected)
    torch.testing.assert_close(reflect_back(expected, vectors), x)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_q_is_orthogonal_with_the_sign_of_its_count(count: int) -> None:
    layer = build({"qr_linear": {"reflections": count}}, 4)
    q = weight(layer) @ torch.linalg.inv(layer.upper().detach())
    torch.testing.assert_close(q @ q.mT, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.det(q), torch.tensor((-1.0) ** count, dtype=torch.float64))
    assert (layer.upper().diagonal() > 0).all()


@pytest.mark.parametrize("size", [4, 5])
def test_qr_starts_as_the_identity(size: int) -> None:
    layer = build("qr_linear", size, seed=None)
    assert len(layer.vectors) == size + size % 2
    torch.testing.assert_close(weight(layer), torch.eye(size, dtype=torch.float64))


def test_an_odd_count_starts_as_one_reflection() -> None:
    layer = build({"qr_linear": {"reflections": 3}}, 3, seed=None)
    torch.testing.assert_close(weight(layer), torch.diag(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)))


def test_a_zero_vector_reflects_nothing_and_has_finite_gradients() -> None:
    vectors = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 3, dtype=torch.float64)
    y = reflect(x, vectors)
    assert torch.equal(y, x)
    y.square().sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


@pytest.mark.parametrize("parametrization", ["lu", "dense"])
def test_conv1x1_is_a_convolution_and_counts_every_position(parametrization: str) -> None:
    layer = build({"conv1x1": {"parametrization": parametrization}}, 3, 4, 5)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    matrix = layer.matrix.multiply(torch.eye(3, dtype=torch.float64)).mT
    y, log_det = layer(x)
    torch.testing.assert_close(y, torch.nn.functional.conv2d(x, matrix[:, :, None, None], layer.bias))
    torch.testing.assert_close(log_det, 20 * torch.linalg.slogdet(matrix).logabsdet.expand(2))


def test_dense_starts_orthogonal() -> None:
    layer = build({"conv1x1": {"parametrization": "dense"}}, 6, 2, 2, seed=None)
    matrix = layer.matrix.weight
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(6, dtype=torch.float64), atol=1e-6, rtol=0)
    assert not torch.equal(matrix, torch.eye(6, dtype=torch.float64))


def test_a_dense_map_of_vectors_is_its_matrix() -> None:
    layer, x = build("dense_linear", 5), torch.randn(7, 5, dtype=torch.float64)
    y, log_det = layer(x)
    assert torch.allclose(y, x @ layer.matrix.weight.mT + layer.bias, atol=1e-12)
    assert torch.allclose(log_det, torch.linalg.det(layer.matrix.weight).abs().log().expand(7), atol=1e-10)


@pytest.mark.parametrize("init", ["orthogonal", "identity"])
def test_a_dense_map_of_vectors_starts_with_volume_one(init: str) -> None:
    weight = build({"dense_linear": {"init": init}}, 6, seed=None).matrix.weight.detach()
    assert torch.allclose(weight @ weight.mT, torch.eye(6, dtype=torch.float64), atol=1e-5)
    assert torch.equal(weight, torch.eye(6, dtype=torch.float64)) == (init == "identity")


def test_dense_identity_takes_noise() -> None:
    layer = build({"conv1x1": {"parametrization": "dense", "init": "identity", "noise": 0.01}}, 64, 2, 2, seed=None)
    noise = layer.matrix.weight.detach() - torch.eye(64, dtype=torch.float64)
    # 4096 draws: the standard deviation is known to 1.1%, four standard errors are 5%.
    assert abs(float(noise.std()) / 0.01 - 1) < 0.05


@pytest.mark.parametrize(
    "spec", ["lu_linear", "qr_linear", "dense_linear", "conv1x1", {"conv1x1": {"parametrization": "dense"}}], ids=str
)
def test_an_outer_autocast_changes_no_bit(spec: Any) -> None:
    shape = (4, 3, 3) if "conv1x1" in spec else (4,)
    layer = build(spec, *shape).float()
    x = torch.randn(8, *shape)
    plain = [*layer(x), *layer.inverse(x)]
    with torch.autocast("cpu", torch.bfloat16):
        inside = [*layer(x), *layer.inverse(x)]
    assert all(torch.equal(a, b) for a, b in zip(plain, inside, strict=True))


def test_a_permutation_is_drawn_anew_and_saved() -> None:
    torch.manual_seed(0)
    one, two = (diffeo.build("bijector", "shuffle", shape=(20,)) for _ in range(2))
    assert not torch.equal(one.indices, two.indices)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.indices, two.indices)


def test_given_indices_are_not_saved() -> None:
    layer = diffeo.build("bijector", {"permutation": {"indices": [1, 0, 2]}}, shape=(3,))
    assert layer.state_dict() == {}
    assert layer(torch.tensor([10.0, 20.0, 30.0]))[0].tolist() == [20.0, 10.0, 30.0]


@pytest.mark.parametrize("spec", ["reverse", "shuffle", {"permutation": {"indices": [2, 0, 1]}}], ids=str)
def test_permutations_move_whole_channels(spec: Any) -> None:
    layer = diffeo.build("bijector", spec, shape=(3, 2, 2))
    x = torch.arange(12.0).reshape(3, 2, 2)
    y, _ = layer(x)
    assert sorted(map(tuple, y.flatten(1).tolist())) == sorted(map(tuple, x.flatten(1).tolist()))
    assert torch.equal(layer.inverse(y)[0], x)


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ("lu_linear", (3, 4, 4), r"expected a vector of shape \(D,\); got \(3, 4, 4\)"),
        ("qr_linear", (3, 4), r"expected a vector of shape \(D,\); got \(3, 4\)"),
        ("conv1x1", (8,), r"expected an image of shape \(C, H, W\); got \(8,\)"),
        ("actnorm", (), r"expected an event with at least one dimension; got shape \(\)"),
        ("reverse", (), r"expected an event with at least one dimension; got shape \(\)"),
        ({"permutation": {"indices": [0, 2]}}, (2,), r"every index from 0 to 1 once, for shape \(2,\); got \[0, 2\]"),
        ({"permutation": {"indices": [0, 0]}}, (2,), r"every index from 0 to 1 once, for shape \(2,\); got \[0, 0\]"),
        ({"permutation": {"indices": [0, 1]}}, (3,), r"every index from 0 to 2 once, for shape \(3,\); got \[0, 1\]"),
        (
            {"conv1x1": {"init": "orthogonal"}},
            (2, 4, 4),
            "expected init identity or uniform where parametrization is lu",
        ),
        ({"conv1x1": {"noise": 0.1}}, (2, 4, 4), "expected noise only where parametrization is dense"),
        ({"lu_linear": {"init": "random"}}, (2,), "expected one of 'identity', 'uniform'; got 'random'"),
        ({"qr_linear": {"reflections": 0}}, (2,), "expected a value >= 1; got 0"),
    ],
)
def test_what_does_not_fit_is_refused(spec: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        diffeo.build("bijector", spec, shape=shape)


def test_an_input_of_another_shape_is_refused() -> None:
    layer = build("actnorm", 3)
    with pytest.raises(ValueError, match=r"expected an input of shape \(\*B, 3\); got \(5, 4\)"):
        layer(torch.zeros(5, 4))
