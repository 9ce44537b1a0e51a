"""Combinators: what they compute, in which order, on which shapes, and where an error points."""

import pytest
import torch
from torch.testing import assert_close

import diffeo

COMBINATORS = {
    "chain": {"chain": {"steps": ["stretch", "sinh"]}},
    "empty chain": {"chain": {"steps": []}},
    "repeat": {"repeat": {"times": 3, "steps": ["stretch", "fold"]}},
    "invert": {"invert": {"steps": ["stretch", "sinh"]}},
    "factor_out": {"factor_out": {"steps": ["sinh", "stretch"]}},
    "factor_out first": {"factor_out": {"keep": "first", "steps": ["sinh"]}},
    "multiscale": {"multiscale": {"levels": 3, "steps": ["fold", "sinh", "stretch"]}},
    "multiscale first": {"multiscale": {"levels": 2, "keep": "first", "steps": ["fold", "sinh"]}},
}


def build(spec, shape, **more):
    torch.manual_seed(0)
    return diffeo.build("bijector", spec, shape=shape, **more).double()


@pytest.mark.parametrize("name", COMBINATORS)
def test_round_trip_and_log_det(name):
    bijector = build(COMBINATORS[name], (2, 8))
    x = 0.5 * torch.randn(4, 2, 8, dtype=torch.float64)
    y, log_det = bijector(x)
    back, log_det_back = bijector.inverse(y)
    assert y.shape == (4, *bijector.out_shape)
    assert_close(back, x)
    assert_close(log_det_back, -log_det)
    for row in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda v: bijector(v)[0], x[row]).reshape(16, 16)
        assert_close(log_det[row], torch.linalg.slogdet(jacobian)[1])


@pytest.mark.parametrize("name", COMBINATORS)
@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_leading_batch_shapes(name, batch):
    bijector = build(COMBINATORS[name], (2, 8))
    y, log_det = bijector(torch.randn(*batch, 2, 8, dtype=torch.float64))
    assert y.shape == (*batch, *bijector.out_shape)
    assert log_det.shape == batch
    assert bijector.inverse(y)[0].shape == (*batch, 2, 8)


def test_multiscale_is_nested_factor_out_with_the_deepest_level_first():
    steps = ["fold", "sinh"]
    flat = build({"multiscale": {"levels": 3, "steps": steps}}, (1, 8))
    nested = build(
        {"chain": {"steps": [*steps, {"factor_out": {"steps": [*steps, {"factor_out": {"steps": steps}}]}}]}}, (1, 8)
    )
    x = torch.randn(5, 1, 8, dtype=torch.float64)
    assert_close(flat(x), nested(x))
    only_first_level = build({"chain": {"steps": steps}}, (1, 8))(x)[0]
    assert_close(flat(x)[0][:, -4:], only_first_level[:, 0])
    assert flat.out_shape == (8,)


def test_an_augmenter_makes_a_chain_inexact_but_strip_stays():
    chain = build({"chain": {"steps": ["sinh", "append", {"multiscale": {"levels": 2, "steps": ["append"]}}]}}, (2,))
    x = torch.randn(6, 2, dtype=torch.float64)
    y, log_weight = chain.augment(x)
    assert not chain.is_exact
    assert chain.out_shape == (5,)
    assert log_weight.shape == (6,)
    assert_close(chain.strip(y), x)
    with pytest.raises(ValueError, match="expected bijectors only"):
        chain.inverse(y)


def test_repeat_gives_every_iteration_its_own_parameters():
    repeat = build({"repeat": {"times": 2, "steps": ["stretch"]}}, (3,))
    names = [name for name, _ in repeat.named_parameters()]
    assert "iterations.0.0.log_scale" in names
    assert "iterations.1.0.log_scale" in names


def test_errors_name_the_step_the_iteration_and_the_shapes():
    spec = {"flow": {"steps": ["stretch", {"repeat": {"times": 4, "steps": ["sinh", "fold"]}}]}}
    with pytest.raises(diffeo.BuildError) as caught:
        diffeo.build("model", spec, shape=(1, 4))
    assert str(caught.value) == (
        "flow.steps[1].repeat.steps[1].fold: expected a shape (C, S) with even S; got (4, 1) (iteration 3 of 4)"
    )


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        (
            {"invert": {"steps": ["append"]}},
            (2,),
            r"invert.steps\[0\]: expected a bijector inside invert; got an augmenter",
        ),
        ({"invert": {"steps": ["fold"]}}, (2, 2), "expected steps that keep the shape inside invert"),
        ({"factor_out": {}}, (1,), r"factor_out: expected at least 2 entries .* got shape \(1,\)"),
        ({"multiscale": {"levels": 3, "steps": []}}, (2,), r"\(level 2 of 3\)"),
    ],
)
def test_what_does_not_fit_is_told(spec, shape, message):
    with pytest.raises(diffeo.BuildError, match=message):
        diffeo.build("bijector", spec, shape=shape)
