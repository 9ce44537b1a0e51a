"""Splits and what acts on their parts, put together as Flow++ does."""

from typing import Any

import pytest
import torch
from torch import nn

import diffeo

DOUBLE = torch.float64


def test_columns_are_taken_in_turns():
    x = torch.arange(8).reshape(1, 2, 4)
    kept, changed = diffeo.build("split", "column", shape=(1, 2, 4)).part(x)
    assert kept.tolist() == [[[0, 2], [4, 6]]]
    assert changed.tolist() == [[[1, 3], [5, 7]]]


def test_first_channels_may_be_few():
    split = diffeo.build("split", {"first_channels": {"count": 1}}, shape=(4, 2))
    assert (split.kept_shape, split.changed_shape) == ((1, 2), (3, 2))


def test_each_part_goes_through_a_matrix_of_its_own():
    spec = {"each_part": {"split": "channel", "step": {"conv1x1": {"parametrization": "dense", "bias": False}}}}
    torch.manual_seed(0)
    layer: Any = diffeo.build("bijector", spec, shape=(4, 3, 3)).double()
    first, second = (step.matrix.weight for step in layer.steps)
    assert not torch.equal(first, second)
    with torch.no_grad():
        second.mul_(2.0)
    x = torch.randn(5, 4, 3, 3, dtype=DOUBLE)
    y, log_det = layer(x)
    torch.testing.assert_close(y[:, :2], torch.einsum("ij,bjhw->bihw", first, x[:, :2]))
    torch.testing.assert_close(y[:, 2:], torch.einsum("ij,bjhw->bihw", second, x[:, 2:]))
    expected = 9 * (torch.linalg.slogdet(first)[1] + torch.linalg.slogdet(second)[1])
    torch.testing.assert_close(log_det, expected.expand(5))


def test_with_a_swap_behind_couplings_of_one_split_take_turns():
    """The same layers as couplings that swap the roles themselves, followed by the swaps."""

    def coupling(*, swap: bool) -> Any:
        spec = {"coupling": {"split": {"channel": {"swap": swap}}, "network": {"conv_resnet": {"channels": 4}}}}
        return diffeo.build("bijector", spec, shape=(2, 4, 4)).double()

    torch.manual_seed(0)
    swapped: Any = diffeo.build("bijector", {"swap_parts": {"split": "channel"}}, shape=(2, 4, 4))
    plain, one, other = coupling(swap=False), coupling(swap=False), coupling(swap=True)
    nn.init.normal_(plain.network.output_layer.weight)
    for layer in (one, other):
        layer.load_state_dict(plain.state_dict())
    x = torch.randn(3, 2, 4, 4, dtype=DOUBLE)
    in_turns = swapped(plain(swapped(plain(x)[0])[0])[0])[0]
    torch.testing.assert_close(in_turns, other(one(x)[0])[0])


def test_the_step_between_an_image_and_its_extra_channels_normalises_it():
    """(x - mean(z)) / deviation(z), as an inverted coupling."""
    coupling = {
        "coupling": {
            "split": {"first_channels": {"count": 3, "swap": True}},
            "transform": {"affine": {"scale": "exp"}},
            "network": {"gated_conv_attention": {"channels": 4, "blocks": 1, "attention": False, "init_scale": 1.0}},
        }
    }
    torch.manual_seed(0)
    layer: Any = diffeo.build("bijector", {"invert": {"steps": [coupling]}}, shape=(5, 4, 4)).double().eval()
    x = torch.randn(2, 5, 4, 4, dtype=DOUBLE)
    y, log_det = layer(x)
    log_deviation, mean = layer.steps[0].network(x[:, 3:]).chunk(2, 1)
    torch.testing.assert_close(y[:, :3], (x[:, :3] - mean) / log_deviation.exp())
    torch.testing.assert_close(y[:, 3:], x[:, 3:])
    torch.testing.assert_close(log_det, -log_deviation.sum((1, 2, 3)))


@pytest.mark.parametrize(
    ("kind", "spec", "shape", "message"),
    [
        ("split", "column", (1, 2, 3), r"expected an image of shape \(C, H, W\) with W even; got \(1, 2, 3\)"),
        ("split", "column", (4,), "with W even"),
        ("split", "first_channels", (3, 2, 2), r"expected more than 3 entries in the first dimension; got \(3, 2, 2\)"),
        ("bijector", "swap_parts", (3, 2, 2), r"parts of one shape; got \(2, 2, 2\) and \(1, 2, 2\)"),
        ("bijector", {"each_part": {"step": "squeeze"}}, (2, 2, 2), "keeps the shape of a part"),
        ("bijector", {"each_part": {"step": {"chain": {"steps": ["vflow"]}}}}, (2, 2, 2), "one that draws noise"),
    ],
)
def test_what_does_not_fit_is_refused(kind, spec, shape, message):
    with pytest.raises(diffeo.BuildError, match=message):
        diffeo.build(kind, spec, shape=shape)


def test_an_input_of_another_shape_is_refused():
    for spec in ("swap_parts", {"each_part": {"step": "actnorm"}}):
        with pytest.raises(ValueError, match=r"expected an input of shape \(\*B, 2, 3\); got \(2, 4\)"):
            diffeo.build("bijector", spec, shape=(2, 3))(torch.zeros(2, 4))
