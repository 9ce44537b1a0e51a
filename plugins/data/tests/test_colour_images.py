"""CIFAR-10 and ImageNet at 32 x 32, on small files in their formats."""

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from diffeo_data import Cifar10, Cifar10Dataset, DataFileError, ImageNet32, ImageNet32Dataset, MissingDataError, cifar10
from diffeo_data.conformance_files import cifar10 as write_cifar10
from diffeo_data.conformance_files import imagenet32 as write_imagenet32


@pytest.fixture
def cifar_folder(tmp_path):
    write_cifar10(tmp_path)
    return tmp_path


@pytest.fixture
def imagenet_folder(tmp_path):
    write_imagenet32(tmp_path)
    return tmp_path


@pytest.mark.parametrize("subfolder", ["", "cifar-10-batches-bin"])
def test_records_of_cifar10_are_a_label_and_three_planes(tmp_path, subfolder):
    (tmp_path / subfolder).mkdir(exist_ok=True)
    write_cifar10(tmp_path / subfolder)
    data = Cifar10Dataset(Cifar10(folder=tmp_path, num_val=10), seed=0)
    assert data.shapes == {"x": (3, 32, 32), "y": ()}
    assert [data.size(split) for split in ("train", "val", "test")] == [40, 10, 10]
    record = np.fromfile(tmp_path / subfolder / "test_batch.bin", dtype=np.uint8).reshape(10, 3073)[7]
    batch = data.batch("test", torch.tensor([7]))
    assert batch["x"].dtype == torch.uint8
    assert batch["y"].item() == record[0]
    assert batch["x"][0, 1, 2, 3].item() == record[1 + 1024 + 2 * 32 + 3]


def test_images_keep_their_labels(cifar_folder):
    records = [
        np.fromfile(cifar_folder / f"data_batch_{number}.bin", dtype=np.uint8).reshape(-1, 3073)
        for number in range(1, 6)
    ]
    labels = {record[1:].tobytes(): int(record[0]) for record in np.concatenate(records)}
    data = Cifar10Dataset(Cifar10(folder=cifar_folder, num_val=0, num_train=30, context="label"), seed=3)
    batch = data.batch("train", torch.arange(30))
    assert [labels[image.numpy().tobytes()] for image in batch["x"]] == batch["y"].tolist()
    assert torch.equal(batch["context"].argmax(1), batch["y"])


def test_labels_of_imagenet_count_from_zero(imagenet_folder):
    data = ImageNet32Dataset(ImageNet32(folder=imagenet_folder, num_val=10), seed=0)
    assert [data.size(split) for split in ("train", "val", "test")] == [40, 10, 5]
    with np.load(imagenet_folder / "val_data.npz") as arrays:
        pixels, labels = arrays["data"], arrays["labels"]
    batch = data.batch("test", torch.arange(5))
    np.testing.assert_array_equal(batch["x"].flatten(1), pixels)
    np.testing.assert_array_equal(batch["y"], labels - 1)


def test_missing_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(MissingDataError, match=r"data_batch_1\.bin.*or set `download: true`"):
        Cifar10Dataset(Cifar10(), seed=0).prepare()
    with pytest.raises(MissingDataError, match=rf"train_data_batch_10\.npz in {re.escape(str(tmp_path))}"):
        ImageNet32Dataset(ImageNet32(folder=tmp_path), seed=0).prepare()


def test_cifar10_files_of_another_size_or_with_other_labels_are_refused(cifar_folder):
    path = cifar_folder / "data_batch_2.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(
        DataFileError, match=r"data_batch_2\.bin: expected examples of 3073 bytes each; got 30729 bytes"
    ):
        Cifar10Dataset(Cifar10(folder=cifar_folder), seed=0).prepare()
    path.write_bytes(b"\xff" + whole[1:])
    with pytest.raises(DataFileError, match=r"expected labels in 0\.\.9; got 255"):
        Cifar10Dataset(Cifar10(folder=cifar_folder), seed=0).prepare()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"data": np.zeros((5, 12), np.uint8)}, r"expected data of shape \(N, 3072\) in uint8; got \(5, 12\)"),
        ({"data": np.zeros((5, 3072))}, "got .* in float64"),
        ({"labels": np.ones(4, int)}, "expected 5 whole numbers as labels"),
        ({"labels": np.zeros(5, int)}, r"expected labels in 1\.\.1000; got 0 to 0"),
        ({"labels": np.array([{}] * 5, object)}, "got one that cannot be read"),
    ],
)
def test_imagenet_files_with_other_arrays_are_refused(imagenet_folder, arrays, message):
    whole = {"data": np.zeros((5, 3072), np.uint8), "labels": np.ones(5, int)}
    np.savez(imagenet_folder / "val_data.npz", **{**whole, **arrays})
    with pytest.raises(DataFileError, match=message):
        ImageNet32Dataset(ImageNet32(folder=imagenet_folder), seed=0).prepare()


def test_cifar10_is_downloaded_where_that_is_asked_for(tmp_path, monkeypatch, capsys):
    """From a server of the test, which has a small archive."""
    import hashlib
    import tarfile

    served, files = tmp_path / "served", tmp_path / "cifar-10-batches-bin"
    served.mkdir()
    files.mkdir()
    write_cifar10(files)
    archive = served / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(files, files.name)

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(cifar10, "ARCHIVE", f"http://127.0.0.1:{server.server_port}/{archive.name}")
        monkeypatch.setattr(cifar10, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())
        data = Cifar10Dataset(Cifar10(folder=tmp_path / "new", download=True, num_val=10), seed=0)
        assert data.size("train") == 40
        server.shutdown()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["cifar-10-batches-bin"]


def test_a_failed_download_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "ARCHIVE", "http://127.0.0.1:9/none.tar.gz")
    with pytest.raises(MissingDataError, match="CIFAR-10 could not be downloaded into"):
        Cifar10Dataset(Cifar10(folder=tmp_path, download=True), seed=0).prepare()
