"""What the protocol promises, for every data set of the package."""

import pytest
import torch

from diffeo_data.images import ImageDataset

SPLITS = ("train", "val", "test")


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def rows_of(data, split):
    """All examples of a split as hashable rows; 200 of an endless one."""
    size = data.size(split)
    x = data.batch(split, torch.arange(200 if size is None else size))["x"]
    return [row.numpy().tobytes() for row in x]


@pytest.mark.parametrize("split", ["val", "test"])
def test_held_out_examples_do_not_change_with_seeds(make_dataset, split):
    data, indices = make_dataset(0), torch.arange(2)
    assert same(data.batch(split, indices, torch.tensor([1, 2])), data.batch(split, indices, torch.tensor([3, 4])))
    assert same(data.batch(split, indices, torch.tensor([1, 2])), data.batch(split, indices))


def test_images_are_mirrored_and_moved_as_the_fields_say(make_dataset):
    """With flip 0.5 and shift 1, as in all cases, 600 seeds see the image in two times nine ways."""
    data, seeds = make_dataset(0), torch.arange(600)
    if isinstance(data, ImageDataset):
        x = data.batch("train", torch.zeros_like(seeds), seeds)["x"]
        assert len(x.flatten(1).unique(dim=0)) == 18


def test_the_assignment_to_splits_follows_the_seed(make_dataset):
    assert rows_of(make_dataset(3), "val") == rows_of(make_dataset(3), "val")
    assert rows_of(make_dataset(3), "val") != rows_of(make_dataset(4), "val")


def test_all_examples_are_in_some_split(make_dataset):
    """Whatever the seed, the training and validation (and, where there is no test file, test) splits hold the same rows."""
    one, other = make_dataset(0), make_dataset(1)
    if one.size("train") is None:
        assert one.size("val") == 50
        assert one.size("test") == 70
        return
    pools = [sorted(row for split in SPLITS for row in rows_of(data, split)) for data in (one, other)]
    assert pools[0] == pools[1]
    assert len(pools[0]) == sum(one.size(split) for split in SPLITS)


def test_an_unknown_split_is_an_error(make_dataset):
    with pytest.raises(ValueError, match="expected a split named 'train', 'val' or 'test'; got 'valid'"):
        make_dataset(0).size("valid")
    with pytest.raises(ValueError, match="got 'valid'"):
        make_dataset(0).batch("valid", torch.arange(1))


def test_an_index_beyond_the_split_is_an_error(make_dataset):
    data = make_dataset(0)
    with pytest.raises(IndexError):
        data.batch("val", torch.tensor([data.size("val")]))
