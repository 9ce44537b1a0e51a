"""Splits: which entries go where, at odd sizes and in images, and what cannot be split; the laws are tested elsewhere."""

import pytest
import torch

import diffeo


def make(name: str, shape: tuple[int, ...], *, swap: bool = False):
    return diffeo.build("split", {name: {"swap": swap}}, shape=shape)


def test_the_first_part_of_an_odd_size_is_the_larger():
    assert [part.tolist() for part in make("half", (5,)).part(torch.arange(5))] == [[0, 1, 2], [3, 4]]
    assert [part.tolist() for part in make("alternate", (5,)).part(torch.arange(5))] == [[0, 2, 4], [1, 3]]
    assert make("channel", (5, 2, 2)).kept_shape == (3, 2, 2)


def test_checkerboard_lays_out_white_and_black_pixels_cell_by_cell():
    x = torch.arange(16).reshape(1, 4, 4)
    kept, changed = make("checkerboard", (1, 4, 4)).part(x)
    assert kept.tolist() == [[[0, 2], [8, 10]], [[5, 7], [13, 15]]]
    assert changed.tolist() == [[[1, 3], [9, 11]], [[4, 6], [12, 14]]]


def test_checkerboard_puts_every_pixel_in_the_part_of_its_colour():
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(4), indexing="ij")
    kept, changed = make("checkerboard", (1, 6, 4)).part(((rows + columns) % 2)[None])
    assert (kept == 0).all()
    assert (changed == 1).all()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("half", (1,), r"expected a vector with at least 2 entries, one for each part; got \(1,\)"),
        ("alternate", (1,), r"expected a vector with at least 2 entries, one for each part; got \(1,\)"),
        ("half", (3, 4, 4), r"expected a vector of shape \(D,\); got \(3, 4, 4\) \(use channel or checkerboard"),
        ("alternate", (), r"expected a vector of shape \(D,\); got \(\)"),
        (
            "channel",
            (1, 4, 4),
            r"expected at least 2 entries in the first dimension, one for each part; got \(1, 4, 4\)",
        ),
        ("channel", (), r"expected at least 2 entries in the first dimension, one for each part; got \(\)"),
        ("checkerboard", (1, 3, 4), r"expected an image of shape \(C, H, W\) with H and W even; got \(1, 3, 4\)"),
        ("checkerboard", (1, 4, 5), r"with H and W even; got \(1, 4, 5\)"),
        ("checkerboard", (4,), r"expected an image of shape \(C, H, W\) with H and W even; got \(4,\)"),
    ],
)
def test_what_cannot_be_split_is_refused(name, shape, message):
    with pytest.raises(diffeo.BuildError, match=message):
        make(name, shape)


def test_a_coupling_says_which_part_of_the_spec_does_not_fit():
    with pytest.raises(diffeo.BuildError, match=r"coupling\.split\.checkerboard: expected an image"):
        diffeo.build("bijector", {"coupling": {"split": "checkerboard"}}, shape=(4,))
