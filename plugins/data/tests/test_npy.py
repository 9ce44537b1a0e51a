import re
import zipfile

import numpy as np
import pytest
import torch

from diffeo_data import DataFileError, MissingDataError, Npy, NpyDataset
from diffeo_registry import DiffeoError


def all_of(data, split="train"):
    return data.batch(split, torch.arange(data.size(split)))


def test_rows_of_an_array(tmp_path):
    values = np.arange(60, dtype=np.float64).reshape(10, 2, 3)
    np.save(tmp_path / "rows.npy", values)
    data = NpyDataset(Npy(path=tmp_path / "rows.npy"), seed=0)
    assert data.shapes == {"x": (2, 3)}
    assert [data.size(split) for split in ("train", "val", "test")] == [8, 1, 1]
    x = torch.cat([all_of(data, split)["x"] for split in ("train", "val", "test")])
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(x[x[:, 0, 0].argsort()], values)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.int64, np.uint16, np.bool_, ">f8"])
def test_real_numbers_of_any_type_are_taken(tmp_path, dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    np.save(tmp_path / "rows.npy", np.asfortranarray(values))
    data = NpyDataset(Npy(path=tmp_path / "rows.npy", val=0, test=0, dtype="float64"), seed=0)
    x = all_of(data)["x"]
    assert x.dtype == torch.float64
    assert sorted(x.tolist()) == [[0, 1], [1, 0]]


def test_context_and_label_from_an_archive(tmp_path):
    np.savez(tmp_path / "all.npz", data=np.arange(8.0), extra=np.arange(16.0).reshape(8, 2), kind=np.arange(8) % 3)
    config = Npy(path=tmp_path / "all.npz", x="data", context="extra", label="kind", val=0, test=0)
    data = NpyDataset(config, seed=0)
    assert data.shapes == {"x": (), "context": (2,), "y": ()}
    batch = all_of(data)
    assert batch["y"].dtype == torch.int64
    assert torch.equal(batch["context"][:, 0], 2 * batch["x"])
    assert torch.equal(batch["y"], batch["x"].long() % 3)


def test_the_only_array_of_an_archive_needs_no_name(tmp_path):
    np.savez_compressed(tmp_path / "one.npz", anything=np.ones((3, 4)))
    assert NpyDataset(Npy(path=tmp_path / "one.npz", val=0, test=0), seed=0).shapes == {"x": (4,)}


def test_images_as_bytes(tmp_path):
    np.save(tmp_path / "images.npy", np.full((4, 1, 2, 2), 255, dtype=np.int64))
    data = NpyDataset(Npy(path=tmp_path / "images.npy", dtype="uint8", val=0, test=0), seed=0)
    assert all_of(data)["x"].dtype == torch.uint8
    for bad in (256, -1, 0.5, np.nan):
        np.save(tmp_path / "images.npy", np.array([[0.0], [bad]]))
        message = f"{tmp_path}/images.npy[1, 0]: expected a whole number in 0..255; got {float(bad)}"
        with pytest.raises(DataFileError, match=re.escape(message)):
            NpyDataset(Npy(path=tmp_path / "images.npy", dtype="uint8", val=0, test=0), seed=0).prepare()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_not_finite_are_named(tmp_path, bad):
    values = np.zeros((4, 2, 3))
    values[2, 1, 0] = bad
    np.save(tmp_path / "rows.npy", values)
    with pytest.raises(DataFileError) as caught:
        NpyDataset(Npy(path=tmp_path / "rows.npy"), seed=0).prepare()
    assert str(caught.value) == f"{tmp_path}/rows.npy[2, 1, 0]: expected a finite float32 number; got {bad}"
    np.savez(tmp_path / "rows.npz", x=np.zeros(4), c=values)
    with pytest.raises(DataFileError) as caught:
        NpyDataset(Npy(path=tmp_path / "rows.npz", x="x", context="c"), seed=0).prepare()
    assert str(caught.value) == f"{tmp_path}/rows.npz: c[2, 1, 0]: expected a finite float32 number; got {bad}"


def test_the_shape_comes_from_the_header_alone(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((1000, 7)))
    path.write_bytes(path.read_bytes()[:500])
    data = NpyDataset(Npy(path=path), seed=0)
    assert data.shapes == {"x": (7,)}
    with pytest.raises(DataFileError, match=f"^{path}: expected a complete .npy or .npz file of numbers; got one that"):
        data.prepare()


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(DataFileError, match="expected a complete"):
        NpyDataset(Npy(path=tmp_path / "objects.npy"), seed=0).prepare()


def test_files_of_another_kind(tmp_path):
    (tmp_path / "text.npy").write_text("1,2\n")
    with pytest.raises(DataFileError, match=r"text\.npy: expected a complete \.npy or \.npz file of numbers"):
        NpyDataset(Npy(path=tmp_path / "text.npy"), seed=0)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    with pytest.raises(DataFileError, match=r"words\.npy: expected real numbers; got <U1"):
        NpyDataset(Npy(path=tmp_path / "words.npy"), seed=0).prepare()
    np.save(tmp_path / "scalar.npy", np.float64(1))
    with pytest.raises(DataFileError, match=r"expected an array \(N, \.\.\.\) of examples; got a single number"):
        NpyDataset(Npy(path=tmp_path / "scalar.npy"), seed=0)


@pytest.mark.parametrize("shape", [(0, 2), (4, 0)])
def test_examples_without_numbers(shape, tmp_path):
    np.save(tmp_path / "hollow.npy", np.zeros(shape))
    message = f"{tmp_path}/hollow.npy: expected examples with numbers in them; got shape {shape}"
    with pytest.raises(DataFileError, match=re.escape(message)):
        NpyDataset(Npy(path=tmp_path / "hollow.npy"), seed=0)


def test_archives_of_something_else(tmp_path):
    """What NumPy did not write is no array: not offered, and an archive of nothing else is refused."""
    path = tmp_path / "mixed.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(
        DataFileError, match=r"mixed\.npz: expected arrays, as NumPy's savez writes them; got an archive w"
    ):
        NpyDataset(Npy(path=path), seed=0)
    np.savez(path, a=np.ones((3, 4)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert NpyDataset(Npy(path=path), seed=0).shapes == {"x": (4,)}


def test_a_compressed_array_that_was_damaged(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(400, 20)))
    data = bytearray(path.read_bytes())
    data[3000:3300] = bytes(byte ^ 0x55 for byte in data[3000:3300])
    path.write_bytes(data)
    with pytest.raises(
        DataFileError, match=r"damaged\.npz: expected a complete \.npy or \.npz file of numbers; got one that"
    ):
        NpyDataset(Npy(path=path), seed=0).prepare()


def test_missing_files_and_arrays(tmp_path):
    with pytest.raises(MissingDataError, match=r"none\.npy: expected a file; got nothing there"):
        NpyDataset(Npy(path=tmp_path / "none.npy"), seed=0)
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(DiffeoError, match=r"two\.npz: expected `x` to name one of the arrays 'a', 'b'; got none"):
        NpyDataset(Npy(path=tmp_path / "two.npz"), seed=0)
    with pytest.raises(DiffeoError, match=r"two\.npz: expected an array named 'c'; got 'a', 'b'"):
        NpyDataset(Npy(path=tmp_path / "two.npz", x="c"), seed=0)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DiffeoError, match=r"one\.npy: expected a \.npz file, since an array named 'c' is wanted"):
        NpyDataset(Npy(path=tmp_path / "one.npy", context="c"), seed=0)


def test_arrays_that_do_not_fit_together(tmp_path):
    np.savez(tmp_path / "both.npz", x=np.zeros((3, 2)), c=np.zeros((4, 2)), y=np.zeros((3, 2)))
    with pytest.raises(DataFileError, match="expected as many rows in context as in x, 3; got 4"):
        NpyDataset(Npy(path=tmp_path / "both.npz", x="x", context="c"), seed=0).prepare()
    with pytest.raises(DataFileError, match=re.escape("y: expected labels of shape (N,); got (N, 2)")):
        NpyDataset(Npy(path=tmp_path / "both.npz", x="x", label="y"), seed=0)
