"""What the package promises as a whole: its records, its imports, what its wheel holds."""

import importlib.resources
import subprocess
import sys
import zipfile
from pathlib import Path

import attrs
import pytest

import diffeo_data
from diffeo_data.plugin import diffeo_components

FOLDER = Path(__file__).parents[1]
BUNDLED = "diffeo_data/bundled/fashion_mnist_small"


def test_every_config_has_its_record_and_every_field_its_help():
    records = {record.config: record for record in diffeo_components()}
    configs = [value for value in (getattr(diffeo_data, name) for name in diffeo_data.__all__) if attrs.has(value)]
    assert len(configs) == len(records) == 13
    for config in configs:
        record = records[f"diffeo_data.config:{config.__name__}"]
        module, _, name = record.implementation.partition(":")
        assert name == f"{config.__name__}Dataset"
        assert getattr(diffeo_data, name).__module__ == module
        assert all(field.metadata["diffeo_help"] for field in attrs.fields(config))


def test_the_readme_lists_every_data_set():
    readme = (FOLDER / "README.md").read_text()
    for record in diffeo_components():
        assert f"| `{record.name}` |" in readme


def test_torchvision_is_imported_only_when_images_are_read():
    code = "import sys, diffeo_data.toys, diffeo_data.image_folder; assert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_notice_stands_beside_the_images():
    folder = importlib.resources.files("diffeo_data") / "bundled" / "fashion_mnist_small"
    notice = (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright © 2017 Zalando SE, https://tech.zalando.com" in notice
    assert "The above copyright notice and this permission notice shall be included" in notice


def test_the_wheel_holds_images_and_notice(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(FOLDER)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for name in ("train.png", "test.png", "LICENSE"):
        assert sizes[f"{BUNDLED}/{name}"] == (FOLDER / BUNDLED / name).stat().st_size
    assert not [name for name in sizes if name.startswith(("tests", "scripts"))]
    assert max(sizes.values()) < 3_000_000


def test_the_script_makes_the_bundled_files_again(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    from diffeo_data.fashion_mnist import DEBIAN_FOLDER

    if not DEBIAN_FOLDER.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    script = FOLDER / "scripts" / "make_fashion_mnist_small.py"
    subprocess.run([sys.executable, str(script), str(DEBIAN_FOLDER), "--out", str(tmp_path)], check=True)
    for name in ("train.png", "test.png"):
        # Pixels, not bytes: those depend on the zlib in use.
        with pil.open(tmp_path / name) as made, pil.open(FOLDER / BUNDLED / name) as bundled:
            assert made.tobytes() == bundled.tobytes()
