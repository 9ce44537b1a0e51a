"""Each package works from its wheel alone: the one pip installs, without its siblings beside it."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

LISTING = """
import importlib, json, sys
from diffeo_registry import installed
importlib.import_module(sys.argv[1])
assert not installed().broken, installed().broken
for item in installed().components:
    if item.package == sys.argv[2]:
        item.load_config(), item.load_implementation()
print(json.dumps(sorted((item.package, *item.kinds, item.name) for item in installed().components)))
"""


@pytest.fixture(scope="session")
def wheel_of(tmp_path_factory) -> Callable[..., Path]:
    """Build the wheel of a package with the installed hatchling; once a session."""
    built: dict[str, Path] = {}

    def build(package) -> Path:
        if package.name not in built:
            out = tmp_path_factory.mktemp(package.name)
            command = [
                sys.executable,
                "-m",
                "build",
                "--wheel",
                "--no-isolation",
                "--outdir",
                str(out),
                str(package.folder),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{package.name} does not build:\n{done.stdout}{done.stderr}"
            (built[package.name],) = out.glob("*.whl")
        return built[package.name]

    return build


@pytest.fixture(scope="session")
def third_party(tmp_path_factory) -> Path:
    """A folder that shows everything installed here except the packages of this repository."""
    folder = tmp_path_factory.mktemp("third-party")
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not entry.name.startswith(("diffeo", "_editable_impl_diffeo", "__pycache__")):
            (folder / entry.name).symlink_to(entry)
    return folder


def test_wheel_holds_the_import_package_and_nothing_else(package, wheel_of):
    with zipfile.ZipFile(wheel_of(package)) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    ignored = {"__pycache__"}
    files = [path for path in package.code.rglob("*") if path.is_file() and not ignored & set(path.parts)]
    expected = {path.relative_to(package.folder).as_posix() for path in files}
    assert names == expected, f"missing: {sorted(expected - names)}; too much: {sorted(names - expected)}"


def test_package_works_from_its_wheel_alone(package, packages, wheel_of, third_party, tmp_path):
    needed = _with_siblings(package, {other.name: other for other in packages})
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (site / "third_party.pth").write_text(f"{third_party}\n")
    wheels = [str(wheel_of(other)) for other in needed]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", *wheels], check=True)

    alone = _listed([str(python), "-I", "-c", LISTING, package.module, package.name])
    beside_its_siblings = _listed([sys.executable, "-I", "-c", LISTING, package.module, ""])
    names = {other.name for other in needed}
    assert alone == [row for row in beside_its_siblings if row[0] in names]


def _with_siblings(package, by_name) -> list:
    """The package and the siblings it declares, directly or not."""
    needed = [package]
    for item in needed:
        needed += [by_name[name] for name in sorted(item.declared & by_name.keys()) if by_name[name] not in needed]
    return needed


def _listed(command: list[str]) -> list[list[str]]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
