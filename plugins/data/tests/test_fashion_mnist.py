import gzip
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from diffeo_data import (
    DataFileError,
    FashionMnist,
    FashionMnistDataset,
    FashionMnistSmall,
    FashionMnistSmallDataset,
    MissingDataError,
    fashion_mnist,
)
from diffeo_data.hashing import uniforms
from diffeo_data.images import flip_some
from diffeo_registry import DiffeoError


@pytest.fixture
def nowhere(tmp_path, monkeypatch) -> Path:
    """No Fashion-MNIST where it is looked for by default: not Debian's, and an empty cache."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("subfolder", ["", "FashionMNIST/raw"])
def test_files_are_read_as_they_are(tmp_path, fashion_files, zipped, subfolder):
    arrays = fashion_files(tmp_path / subfolder, zipped=zipped)
    data = FashionMnistDataset(FashionMnist(folder=tmp_path, num_val=10), seed=0)
    assert data.shapes == {"x": (1, 28, 28), "y": ()}
    assert [data.size(split) for split in ("train", "val", "test")] == [50, 10, 20]
    test = data.batch("test", torch.arange(20))
    assert test["x"].dtype == torch.uint8
    assert test["y"].dtype == torch.int64
    np.testing.assert_array_equal(test["x"][:, 0], arrays["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(test["y"], arrays["t10k-labels-idx1-ubyte"])


def test_images_keep_their_labels(tmp_path, fashion_files):
    arrays = fashion_files(tmp_path)
    expected = {
        image.tobytes(): int(label)
        for image, label in zip(arrays["train-images-idx3-ubyte"], arrays["train-labels-idx1-ubyte"], strict=True)
    }
    data = FashionMnistDataset(FashionMnist(folder=tmp_path, num_val=10, context="label"), seed=5)
    batch = data.batch("train", torch.arange(50))
    assert [expected[image.numpy().tobytes()] for image in batch["x"]] == batch["y"].tolist()
    assert torch.equal(batch["context"].argmax(1), batch["y"])
    assert torch.equal(batch["context"].sum(1), torch.ones(50))


def test_preprocessing_is_padding_then_pooling(tmp_path, fashion_files):
    arrays = fashion_files(tmp_path)
    data = FashionMnistDataset(FashionMnist(folder=tmp_path, num_val=10, pad=2, pool=2), seed=0)
    image = np.pad(arrays["t10k-images-idx3-ubyte"][3].astype(int), 2)
    mean = image.reshape(16, 2, 16, 2).mean((1, 3))
    np.testing.assert_array_equal(data.batch("test", torch.tensor([3]))["x"][0, 0], np.floor(mean + 0.5))


def test_num_train_takes_fewer(tmp_path, fashion_files):
    fashion_files(tmp_path)
    few = FashionMnistDataset(FashionMnist(folder=tmp_path, num_val=10, num_train=7), seed=0)
    every = FashionMnistDataset(FashionMnist(folder=tmp_path, num_val=10), seed=0)
    assert few.size("train") == 7
    indices = torch.arange(7)
    assert torch.equal(few.batch("train", indices)["x"], every.batch("train", indices)["x"])
    assert torch.equal(few.batch("val", indices)["x"], every.batch("val", indices)["x"])


def test_flips_concern_training_with_seeds_only():
    plain = FashionMnistSmallDataset(FashionMnistSmall(), seed=0)
    indices, seeds = torch.arange(400), torch.arange(400)
    for flip, low, high in ((0.0, 0, 0), (0.25, 65, 135), (1.0, 400, 400)):  # 100 within 4 standard errors of 8.7
        data = FashionMnistSmallDataset(FashionMnistSmall(flip=flip), seed=0)
        x, original = data.batch("train", indices, seeds)["x"], plain.batch("train", indices)["x"]
        kept, mirrored = (x == original).flatten(1).all(1), (x == original.flip(-1)).flatten(1).all(1)
        assert (kept | mirrored).all()
        assert low <= int((~kept).sum()) <= high
        assert torch.equal(data.batch("train", indices)["x"], original)
        for split in ("val", "test"):
            assert torch.equal(data.batch(split, indices, seeds)["x"], plain.batch(split, indices)["x"])


def test_shifts_concern_training_with_seeds_only_and_are_equally_frequent():
    plain, data = (FashionMnistSmallDataset(FashionMnistSmall(pad=2, shift=shift), seed=0) for shift in (0, 1))
    indices, seeds = torch.full((1800,), 3), torch.arange(1800)
    image = plain.batch("train", indices[:1])["x"]
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    moved = [image.roll(move, (-2, -1)) for move in moves]  # a frame of zeros: what rolls out is what the edge repeats
    x = data.batch("train", indices, seeds)["x"]
    counts = torch.stack([(x == one).flatten(1).all(1) for one in moved]).sum(1)
    assert int(counts.sum()) == 1800
    assert bool(((counts - 200).abs() <= 4 * (200 * 8 / 9) ** 0.5).all())
    assert torch.equal(data.batch("train", indices[:5], seeds[7:12])["x"], x[7:12])
    assert torch.equal(data.batch("train", indices[:1])["x"], image)
    for split in ("val", "test"):
        assert torch.equal(data.batch(split, indices, seeds)["x"], plain.batch(split, indices)["x"])


def test_a_shift_leaves_the_flips_as_they_are():
    """They are those of the first number of each seed alone, as before there were shifts."""
    sets = [FashionMnistSmallDataset(FashionMnistSmall(pad=2, flip=0.5, shift=shift), seed=0) for shift in (0, 1)]
    indices, seeds = torch.arange(50), torch.arange(50)
    original = sets[0].batch("train", indices)["x"]
    flipped, both = (data.batch("train", indices, seeds)["x"] for data in sets)
    assert torch.equal(flipped, flip_some(original, uniforms(seeds, 1)[:, 0] < 0.5))
    again = [flipped.roll((down, right), (-2, -1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert bool(torch.stack([(both == one).flatten(1).all(1) for one in again]).any(0).all())


def test_a_shift_is_smaller_than_the_image():
    with pytest.raises(DiffeoError, match="expected a shift smaller than the side of the images, 7; got 7"):
        FashionMnistSmallDataset(FashionMnistSmall(pool=4, shift=7), seed=0)


def test_the_small_set_is_balanced_and_takes_turns():
    data = FashionMnistSmallDataset(FashionMnistSmall(num_val=0), seed=0)
    assert [data.size(split) for split in ("train", "val", "test")] == [5000, 0, 1000]
    assert torch.bincount(data.batch("train", torch.arange(5000))["y"]).tolist() == [500] * 10
    assert torch.equal(data.batch("test", torch.arange(1000))["y"], torch.arange(10).repeat(100))
    assert data.class_names[9] == "ankle boot"


def test_the_small_set_looks_like_clothes():
    """Trousers have a gap between the legs, boots don't: mean greys at places known from the pictures."""
    data = FashionMnistSmallDataset(FashionMnistSmall(), seed=0)
    mean = data.batch("test", torch.arange(1000))["x"].double().reshape(100, 10, 28, 28).mean(0)
    assert mean[1, 20, 11] > mean[1, 20, 14] + 100
    assert mean[9, 20, 13] > 100
    assert mean[9, 2:4, 0:4].mean() < 10


@pytest.mark.skipif(
    not fashion_mnist.DEBIAN_FOLDER.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)
def test_the_small_set_is_part_of_the_real_one():
    full = FashionMnistDataset(FashionMnist(), seed=0)
    assert [full.size(split) for split in ("train", "val", "test")] == [50_000, 10_000, 10_000]
    small = FashionMnistSmallDataset(FashionMnistSmall(num_val=0), seed=0)
    for part in ("train", "test"):
        real = full.read(part)
        first = [(real.y == label).nonzero()[: small.size(part) // 10, 0] for label in range(10)]
        rows = torch.stack(first, dim=1).flatten()
        assert torch.equal(small.read(part).x, real.x[rows])
        assert torch.equal(small.read(part).y, real.y[rows])


def test_missing_files_say_where_and_what_to_do(nowhere):
    data = FashionMnistDataset(FashionMnist(pad=2), seed=0)
    assert data.shapes["x"] == (1, 32, 32)
    with pytest.raises(MissingDataError) as caught:
        data.prepare()
    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, DiffeoError)
    assert str(caught.value) == (
        "expected the Fashion-MNIST files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
        f"t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz in {nowhere}/debian or "
        f"{nowhere}/cache/diffeo/FashionMNIST/raw; got none, or not all of them. "
        "Name their folder in `folder`, set `download: true`, install Debian's package dataset-fashion-mnist, "
        "or use fashion_mnist_small, which needs no files"
    )


def test_a_named_folder_is_the_only_place(nowhere, fashion_files):
    fashion_files(nowhere / "debian")
    with pytest.raises(MissingDataError, match=rf"in {nowhere}/mine or {nowhere}/mine/FashionMNIST/raw; got none"):
        FashionMnistDataset(FashionMnist(folder=nowhere / "mine"), seed=0).prepare()


def test_an_incomplete_folder_is_refused(tmp_path, fashion_files):
    fashion_files(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MissingDataError, match="not all of them"):
        FashionMnistDataset(FashionMnist(folder=tmp_path), seed=0).size("test")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server(nowhere, fashion_files, monkeypatch) -> Iterator[Path]:
    """A folder that torchvision takes for its mirror, served on this machine."""
    from diffeo_data.vision import FashionMNIST

    folder = nowhere / "server"
    fashion_files(folder)
    sums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(folder.glob("*.gz"))]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as http:
        threading.Thread(target=http.serve_forever).start()
        monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{http.server_port}/"])
        monkeypatch.setattr(FashionMNIST, "resources", sums)
        yield folder
        http.shutdown()


@pytest.mark.parametrize("folder", [None, "mine"])
def test_torchvision_downloads(nowhere, server, folder):
    config = FashionMnist(folder=folder and nowhere / folder, download=True, num_val=10)
    assert FashionMnistDataset(config, seed=0).size("train") == 50
    root = nowhere / (folder or "cache/diffeo")
    assert [path.name for path in root.iterdir()] == ["FashionMNIST"]
    for path in server.iterdir():
        path.unlink()
    assert FashionMnistDataset(config, seed=0).size("train") == 50  # from disk this time


def test_a_failed_download_leaves_nothing_behind(nowhere, server):
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(MissingDataError, match="could not be downloaded into"):
        FashionMnistDataset(FashionMnist(folder=nowhere / "mine", download=True), seed=0).prepare()
    assert list((nowhere / "mine").iterdir()) == []


def test_damaged_files_are_named(tmp_path, fashion_files):
    fashion_files(tmp_path)
    images = tmp_path / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    damaged = {
        "cut off": whole[: len(whole) // 2],
        "not gzip": b"<html>404</html>",
        "cut off inside": gzip.compress(gzip.decompress(whole)[:-100]),
        "empty": gzip.compress(b""),
        "labels": (tmp_path / "train-labels-idx1-ubyte.gz").read_bytes(),
    }
    for content in damaged.values():
        images.write_bytes(content)
        with pytest.raises(
            DataFileError, match=rf"^{images}: expected a complete idx file of Fashion-MNIST; got one that"
        ):
            FashionMnistDataset(FashionMnist(folder=tmp_path, num_val=10), seed=0).prepare()


def test_files_that_do_not_fit_together_are_named(tmp_path, fashion_files):
    fashion_files(tmp_path / "more", num_train=61)
    fashion_files(tmp_path / "data")
    labels = tmp_path / "data" / "train-labels-idx1-ubyte.gz"
    labels.write_bytes((tmp_path / "more" / labels.name).read_bytes())
    with pytest.raises(DataFileError, match=rf"^{labels}: expected 60 labels, one per image; got 61$"):
        FashionMnistDataset(FashionMnist(folder=tmp_path / "data", num_val=10), seed=0).prepare()


def test_a_pool_that_does_not_fit_is_an_error():
    message = r"^expected pool to divide the padded side 32 \(that is 28 \+ 2 \* 2\); got 3$"
    with pytest.raises(DiffeoError, match=message):
        FashionMnistSmallDataset(FashionMnistSmall(pad=2, pool=3), seed=0)


def test_splits_larger_than_the_data_are_errors():
    with pytest.raises(DiffeoError, match=r"^expected num_val below 5000, the number of training examples; got 5000$"):
        FashionMnistSmallDataset(FashionMnistSmall(num_val=5000), seed=0).prepare()
    with pytest.raises(DiffeoError, match=r"^expected num_train at most 4500, what num_val leaves of 5000; got 4501$"):
        FashionMnistSmallDataset(FashionMnistSmall(num_train=4501), seed=0).prepare()


def test_configs_check_their_bounds():
    with pytest.raises(ValueError, match=r"context: expected 'label'; got 'class'"):
        FashionMnist(context="class")
    with pytest.raises(ValueError, match=r"flip: expected a value >= 0 and <= 1; got 1.5"):
        FashionMnist(flip=1.5)
