import re

import numpy as np
import pytest
import torch
from PIL import Image

from diffeo_data import DataFileError, ImageFolder, ImageFolderDataset, MissingDataError
from diffeo_registry import DiffeoError


def everything(data):
    return [data.batch(split, torch.arange(data.size(split))) for split in ("train", "val", "test")]


def test_classes_from_subfolders(tmp_path, image_files):
    image_files(tmp_path)
    config = ImageFolder(path=tmp_path, size=10, num_classes=2, context="label")
    data = ImageFolderDataset(config, seed=0)
    assert data.shapes == {"x": (3, 10, 10), "y": (), "context": (2,)}
    assert data.class_names == ("ants", "bees")
    assert [data.size(split) for split in ("train", "val", "test")] == [32, 4, 4]
    labels = torch.cat([batch["y"] for batch in everything(data)])
    assert torch.bincount(labels).tolist() == [20, 20]


def test_pixels_are_cut_from_the_middle_and_not_scaled(tmp_path, image_files):
    """Images of 12 x 10 at size 10: no resizing, the middle ten rows."""
    pixels = image_files(tmp_path)
    expected = {image[1:11].transpose(2, 0, 1).tobytes(): name for name, image in pixels.items()}
    data = ImageFolderDataset(ImageFolder(path=tmp_path, size=10, num_classes=2), seed=0)
    found = []
    for batch in everything(data):
        assert batch["x"].dtype == torch.uint8
        for image, label in zip(batch["x"], batch["y"].tolist(), strict=True):
            name = expected[image.numpy().tobytes()]
            assert name.startswith(("ants", "bees")[label])
            found.append(name)
    assert sorted(found) == sorted(pixels)


def test_resizing_averages(tmp_path):
    """A picture of one colour keeps it at any size; a fine chequerboard becomes grey."""
    Image.new("RGB", (64, 48), (10, 200, 30)).save(tmp_path / "a.png")
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "b.png")
    data = ImageFolderDataset(ImageFolder(path=tmp_path, size=8, val=0, test=0), seed=0)
    images = data.decode(torch.arange(2))
    assert torch.equal(images[0], torch.tensor([10, 200, 30], dtype=torch.uint8)[:, None, None].expand(3, 8, 8))
    assert (images[1].int() - 127).abs().max() < 12


def test_greys(tmp_path):
    Image.new("RGB", (4, 4), (10, 200, 30)).save(tmp_path / "a.png")
    data = ImageFolderDataset(ImageFolder(path=tmp_path, size=4, grayscale=True, val=0, test=0), seed=0)
    assert data.shapes == {"x": (1, 4, 4)}
    grey = round(0.299 * 10 + 0.587 * 200 + 0.114 * 30)  # ITU-R 601-2 luma
    assert data.batch("train", torch.arange(1))["x"].unique().tolist() == [grey]


def test_files_at_any_depth_without_classes(tmp_path, image_files):
    image_files(tmp_path, classes=("deep/er", "b", ".hidden"), per_class=3)
    (tmp_path / "notes.txt").write_text("not an image")
    data = ImageFolderDataset(ImageFolder(path=tmp_path, size=8, val=0, test=0), seed=0)
    assert data.shapes == {"x": (3, 8, 8)}
    assert [file.as_posix() for file in data.files] == [
        f"{name}/0{i}.png" for name in ("b", "deep/er") for i in range(3)
    ]
    assert set(data.batch("train", torch.arange(6))) == {"x"}
    assert data.class_names == ()


def test_flips_in_training_only(tmp_path, image_files):
    image_files(tmp_path)
    plain = ImageFolderDataset(ImageFolder(path=tmp_path, size=10), seed=0)
    data = ImageFolderDataset(ImageFolder(path=tmp_path, size=10, flip=1.0), seed=0)
    indices = torch.arange(4)
    for split, flipped in (("train", True), ("val", False), ("test", False)):
        x, original = data.batch(split, indices, indices)["x"], plain.batch(split, indices)["x"]
        assert torch.equal(x, original.flip(-1) if flipped else original)
        assert torch.equal(data.batch(split, indices)["x"], original)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_damaged_image_is_named(tmp_path, image_files, in_memory):
    image_files(tmp_path)
    damaged = tmp_path / "bees" / "03.png"
    whole = damaged.read_bytes()
    for content in (b"no image", whole[:200], b""):
        damaged.write_bytes(content)
        data = ImageFolderDataset(ImageFolder(path=tmp_path, size=8, in_memory=in_memory, val=0, test=0), seed=0)
        if not in_memory:
            data.prepare()
        with pytest.raises(DataFileError) as caught:
            data.prepare() if in_memory else data.batch("train", torch.arange(40))
        assert str(caught.value).startswith(f"{damaged}: expected an image; got a file that cannot be read as one (")


@pytest.mark.parametrize(("dtype", "mode"), [(np.uint16, "I"), (np.int32, "I"), (np.float32, "F")])
def test_more_than_8_bits_a_channel_are_refused(tmp_path, dtype, mode):
    """Such pixels would be cut off at 255: a 16-bit grey image would be white."""
    Image.fromarray(np.arange(64, dtype=dtype).reshape(8, 8) * 1000).save(tmp_path / "deep.tiff")
    with pytest.raises(DataFileError) as caught:
        ImageFolderDataset(ImageFolder(path=tmp_path, size=8, val=0, test=0), seed=0).prepare()
    assert str(caught.value).startswith(
        f"{tmp_path}/deep.tiff: expected an image of 8 bits a channel; got one of mode '{mode}"
    )


def test_images_outside_of_classes_are_named(tmp_path, image_files):
    image_files(tmp_path)
    Image.new("L", (4, 4)).save(tmp_path / "stray.png")
    with pytest.raises(DataFileError) as caught:
        ImageFolderDataset(ImageFolder(path=tmp_path, size=8, num_classes=2), seed=0).prepare()
    expected = "expected every image in a subfolder named for its class; got it outside"
    assert str(caught.value) == f"{tmp_path}/stray.png: {expected}"


def test_another_number_of_classes_is_an_error(tmp_path, image_files):
    image_files(tmp_path, classes=("a", "b", "c"), per_class=1)
    with pytest.raises(DataFileError) as caught:
        ImageFolderDataset(ImageFolder(path=tmp_path, size=8, num_classes=2), seed=0).prepare()
    assert str(caught.value) == f"{tmp_path}: expected 2 class subfolders (num_classes); got 3: a, b, c"


def test_missing_folders(tmp_path):
    data = ImageFolderDataset(ImageFolder(path=tmp_path / "none", size=8), seed=0)
    assert data.shapes == {"x": (3, 8, 8)}
    with pytest.raises(FileNotFoundError, match=r"none: expected a folder of images; got nothing there"):
        data.prepare()
    with pytest.raises(MissingDataError, match=re.escape(f"{tmp_path}: expected image files (.jpg, ")):
        ImageFolderDataset(ImageFolder(path=tmp_path, size=8), seed=0).prepare()


def test_a_label_context_needs_classes(tmp_path):
    with pytest.raises(DiffeoError, match=r"^expected num_classes where the context is the label; got 0$"):
        ImageFolderDataset(ImageFolder(path=tmp_path, size=8, context="label"), seed=0)
