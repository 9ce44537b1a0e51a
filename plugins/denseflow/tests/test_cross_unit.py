"""Cross-unit coupling: its equations written out, what depends on what, and a density in closed form."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.testing import randomize

DOUBLE = torch.float64
NORMAL = {"conditional_normal": {"network": {"mlp": {"hidden": [8]}}}}
UNIT = ["actnorm", "lu_linear", {"coupling": {"network": {"mlp": {"hidden": [8]}}}}]


def cross_unit(shape: tuple[int, ...] = (2,), context_shape: Any = None, scale: float = 0.4, **fields: Any) -> Any:
    torch.manual_seed(0)
    spec = {"cross_unit": {"units": 3, "growth": 2, "steps": UNIT, "distribution": NORMAL, **fields}}
    return randomize(diffeo.build("augmenter", spec, shape=shape, context_shape=context_shape), 1, scale).double()


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


def unit(layer: Any, index: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    total = torch.zeros(len(x), dtype=DOUBLE)
    for step in layer.units[index]:
        x, log_det = step(x)
        total = total + log_det
    return x, total


@pytest.mark.parametrize("reads", ["all", "last"])
def test_the_equations_written_out(reads):
    """Representations are taken from y by going back; the noise in front of each unit is scored given those before it."""
    layer, x = cross_unit(units=4, reads=reads), numbers(5, 2)
    y, log_weight = layer.augment(x)
    z, noise, current = [y], [], y
    for index in (3, 2, 1):
        for step in reversed(layer.units[index]):
            current = step.inverse(current)[0]
        noise.insert(0, current[:, -2:])
        current = current[:, :-2]
        z.insert(0, current)  # z_3, z_2, z_1
    for step in reversed(layer.units[0]):
        current = step.inverse(current)[0]
    z.insert(0, current)
    assert_close(z[0], x)
    assert_close(layer.strip(y), x)
    assert [part.shape[1] for part in z] == [2, 2, 4, 6, 8]
    expected = unit(layer, 0, z[0])[1]
    for i in (1, 2, 3):
        whole, log_det = unit(layer, i, torch.cat([z[i], noise[i - 1]], 1))
        assert_close(whole, z[i + 1])
        given = torch.cat(z[:i], 1) if reads == "all" else z[i - 1]
        assert layer.noise[i - 1].distribution.context_shape == (given.shape[1],)
        expected = expected + log_det - layer.noise[i - 1].distribution.log_prob(noise[i - 1], context=given)
    assert_close(log_weight, expected)


def test_the_default_noise_is_that_of_the_paper():
    """e = loc + exp(2 tanh(raw / 2)) * noise, from a network of an image; standard normal before it is trained."""
    torch.manual_seed(0)
    spec = {"cross_unit": {"units": 2, "growth": 2, "steps": []}}
    layer: Any = diffeo.build("augmenter", spec, shape=(4, 2, 2)).double()
    x = numbers(6, 4, 2, 2)
    y, log_weight = layer.augment(x)
    assert_close(y[:, :4], x)
    assert_close(log_weight, -torch.distributions.Normal(0.0, 1.0).log_prob(y[:, 4:]).sum((1, 2, 3)))
    randomize(layer, 0, 0.5)
    y, log_weight = layer.augment(x)
    raw, loc = layer.noise[0].distribution.network(x).chunk(2, 1)
    normal = torch.distributions.Normal(loc, (2 * torch.tanh(raw / 2)).exp())
    assert_close(log_weight, -normal.log_prob(y[:, 4:]).sum((1, 2, 3)))


def test_a_linear_flow_has_the_density_of_its_gaussian():
    """With linear units, noise N(0, I) and a normal base, x is normal: importance-weighted draws reach its log-density."""
    steps = ["lu_linear"]
    layer = cross_unit(units=3, growth=1, steps=steps, distribution="standard_normal", scale=0.5)
    torch.manual_seed(0)
    spec = {
        "flow": {
            "steps": [{"cross_unit": {"units": 3, "growth": 1, "steps": steps, "distribution": "standard_normal"}}]
        }
    }
    flow: Any = diffeo.build("model", spec, shape=(2,)).double()
    flow.steps[0].load_state_dict(layer.state_dict())
    z = torch.cat([torch.zeros(1, 4, dtype=DOUBLE), torch.eye(4, dtype=DOUBLE)])
    back = layer.strip(z)
    mean, matrix = back[0], (back[1:] - back[0]).mT
    exact = torch.distributions.MultivariateNormal(mean, matrix @ matrix.mT)
    x = mean + 0.5 * numbers(3, 2)
    torch.manual_seed(3)
    with torch.no_grad():
        repeated = torch.stack([flow.log_prob(x, num_samples=2000) for _ in range(20)])
    error = repeated.std(0) / 20**0.5
    assert bool((error < 0.05).all())
    assert bool(((repeated.mean(0) - exact.log_prob(x)).abs() <= 4 * error + 1e-3).all())


def test_what_is_appended_is_dropped_without_a_look_at_the_noise():
    layer, x = cross_unit(), numbers(4, 2)
    y, _ = layer.augment(x)
    for parameter in layer.noise.parameters():
        parameter.data.fill_(float("nan"))
    assert_close(layer.strip(y), x)


def test_a_context_reaches_units_and_noise():
    layer, x = cross_unit((2,), (3,), steps=["actnorm"]), numbers(4, 2)
    assert [draw.distribution.context_shape for draw in layer.noise] == [(5,), (7,)]
    assert layer.capabilities.context == "some"
    torch.manual_seed(5)
    one, _ = layer.augment(x, context=torch.zeros(4, 3, dtype=DOUBLE))
    torch.manual_seed(5)
    other, _ = layer.augment(x, context=torch.ones(4, 3, dtype=DOUBLE))
    assert torch.equal(one[:, :2], other[:, :2])
    assert bool((one[:, 2:] != other[:, 2:]).all())


def test_units_may_draw_noise_of_their_own_and_change_the_first_dimension():
    layer, x = cross_unit(steps=[*UNIT, {"vflow": {"dims": 1}}]), numbers(4, 2)
    y, _ = layer.augment(x)
    assert y.shape == (4, 2 + 3 * 1 + 2 * 2)
    assert_close(layer.strip(y), x)


def test_recomputing_gives_the_gradients_of_storing():
    layer, x = cross_unit(), numbers(4, 2)
    gradients = []
    for recompute in (False, True):
        for module in layer.modules():
            if isinstance(module, diffeo.Augmenter):
                module.recompute = recompute
        layer.zero_grad()
        torch.manual_seed(2)
        y, log_weight = layer.augment(x)
        (y.square().sum() - log_weight.sum()).backward()
        gradients.append([parameter.grad.clone() for parameter in layer.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"units": 1}, (2,), r"units: expected a value >= 2; got 1"),
        ({"steps": ["squeeze"]}, (2,), r"steps\[0\]\.squeeze: expected an image of shape \(C, H, W\).*\(unit 1 of 3\)"),
        (
            {"steps": [{"reshape": {"shape": [2, 1]}}]},
            (2,),
            r"expected units that change the first dimension at most.*unit 1 of 3",
        ),
        ({"steps": ["reverse"], "distribution": "conditional_normal"}, (), r"at least one dimension"),
        (
            {"steps": [{"coupling": {"network": "expanding_conv"}}]},
            (4,),
            r"steps\[0\]\.coupling\.network\.expanding_conv: expected images of shape \(C, H, W\).*\(unit 1 of 3\)",
        ),
        ({"steps": [{"swap_parts": {"split": "half"}}], "growth": 1}, (2,), r"parts of one shape.*\(unit 2 of 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(fields, shape, message):
    with pytest.raises(diffeo.DiffeoError, match=message):
        cross_unit(shape, **fields)
