"""Data-dependent initialisation: exact moments in either direction, once, and never again after a load."""

from typing import Any

import pytest
import torch
from safetensors.torch import load, save

import diffeo
from diffeo.data_initialized import armed

VECTOR_BATCH = (64, 3)


def layer(spec: Any = "actnorm", shape: tuple[int, ...] = (3,)) -> Any:
    return diffeo.build("bijector", spec, shape=shape).double()


def batch(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 5 + 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize(
    ("spec", "shape", "leading", "over"),
    [
        ("actnorm", (3,), (64,), (0,)),
        ("actnorm", (3,), (8, 4, 2), (0, 1, 2)),
        ("actnorm", (3, 4, 4), (16,), (0, 2, 3)),
        ("actnorm", (3, 4, 4), (2, 8), (0, 1, 3, 4)),
        ({"actnorm": {"per_element": True}}, (3, 4, 4), (16,), (0,)),
    ],
)
def test_first_call_normalises_what_it_returns(spec: Any, shape: Any, leading: Any, over: Any, direction: str) -> None:
    bijector, x = layer(spec, shape), batch(*leading, *shape)
    with armed(bijector):
        out, _ = getattr(bijector, direction)(x)
    mean, deviation = out.mean(over), out.std(over)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-12, rtol=0)
    torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-12, rtol=0)
    assert not bijector.initializing


def test_parameters_are_mean_and_log_deviation() -> None:
    bijector, x = layer(), batch(*VECTOR_BATCH)
    with armed(bijector):
        _, log_det = bijector(x)
    torch.testing.assert_close(bijector.shift.detach(), x.mean(0))
    torch.testing.assert_close(bijector.log_scale.detach(), x.std(0).log())
    torch.testing.assert_close(log_det, -x.std(0).log().sum().expand(64))


def test_nothing_happens_unless_armed() -> None:
    bijector, x = layer(), batch(*VECTOR_BATCH)
    y, log_det = bijector(x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(64, dtype=torch.float64))


def test_only_the_first_call_counts() -> None:
    bijector = layer()
    with armed(bijector):
        bijector(batch(*VECTOR_BATCH))
        shift = bijector.shift.detach().clone()
        bijector(100 + batch(*VECTOR_BATCH))
    assert torch.equal(bijector.shift, shift)


def test_a_loaded_layer_keeps_its_parameters() -> None:
    trained = layer()
    with armed(trained):
        trained(batch(*VECTOR_BATCH))
    state = trained.state_dict()
    assert sorted(state) == ["log_scale", "shift"]
    loaded = layer()
    loaded.load_state_dict(load(save(state)))
    x = 100 + batch(*VECTOR_BATCH)
    assert torch.equal(loaded(x)[0], trained(x)[0])
    assert torch.equal(loaded.shift, trained.shift)


def test_a_constant_channel_is_shifted_but_not_scaled() -> None:
    x = batch(*VECTOR_BATCH).float()
    x[:, 1] = 1234.567
    bijector = layer().float()
    with armed(bijector):
        y, _ = bijector(x)
    assert bijector.log_scale[1] == 0
    assert y[:, 1].abs().max() < 1e-3
    assert y.isfinite().all()


@pytest.mark.parametrize("rows", [1, 0])
def test_degenerate_first_batches_stay_finite(rows: int) -> None:
    bijector = layer()
    with armed(bijector):
        y, log_det = bijector(batch(rows, 3))
    assert y.shape == (rows, 3)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    assert all(parameter.isfinite().all() for parameter in bijector.parameters())


def test_an_empty_batch_leaves_the_layer_armed() -> None:
    bijector, x = layer(), batch(*VECTOR_BATCH)
    with armed(bijector):
        bijector(x[:0])
        y, _ = bijector(x)
    torch.testing.assert_close(y.std(0), torch.ones(3, dtype=torch.float64))


def test_initialisation_makes_no_graph() -> None:
    bijector, x = layer(), batch(*VECTOR_BATCH).requires_grad_()
    with armed(bijector):
        y, _ = bijector(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.exp(-bijector.log_scale.detach()).expand_as(x))


def test_a_biased_variance_divides_by_the_number_of_values():
    x = torch.tensor([[1.0], [3.0]], dtype=torch.float64)
    layer = diffeo.build("bijector", {"actnorm": {"variance": "biased"}}, shape=(1,)).double()
    layer.initializing = True
    layer(x)
    torch.testing.assert_close(layer.log_scale.detach().exp(), torch.ones(1, dtype=torch.float64))
