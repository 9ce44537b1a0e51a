"""What tests of several folders share: packages built into wheels, and environments that hold them and nothing of the checkout.

Nothing is fetched: the wheels are built here, and third parties' packages are those that are installed here.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # on a busy machine an example may take any time
settings.load_profile("patient")

OURS = ("diffeo", "_editable_impl_diffeo", "__pycache__")
"""How what this checkout installs begins."""


class Environment:
    """A virtual environment with some of the packages, from their wheels."""

    def __init__(self, folder: Path, third_party: Path) -> None:
        self.folder = folder
        self.python = str(folder / "bin/python")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        (site,) = (folder / "lib").glob("python*/site-packages")
        (site / "third_party.pth").write_text(f"{third_party}\n")

    def pip(self, *arguments: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check"]
        subprocess.run([*pip, *arguments], check=True, capture_output=True)

    def install(self, wheels: list[Path]) -> None:
        self.pip("install", "--quiet", "--no-deps", "--no-index", "--no-compile", *map(str, wheels))

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run this Python, which sees nothing of the checkout."""
        hidden = ("DIFFEO_", "PYTHON")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        return subprocess.run(
            [self.python, "-I", *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environment
        )


@pytest.fixture(scope="session")
def wheel_of(tmp_path_factory) -> Callable[[Path], Path]:
    """Build the wheel of the package in a folder with the installed hatchling; once a session."""
    built: dict[Path, Path] = {}

    def build(folder: Path) -> Path:
        if folder not in built:
            out = tmp_path_factory.mktemp(f"wheel-{folder.name}")
            command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{folder} does not build:\n{done.stdout}{done.stderr}"
            (built[folder],) = out.glob("*.whl")
        return built[folder]

    return build


@pytest.fixture(scope="session")
def third_party(tmp_path_factory) -> Path:
    """A folder that shows everything installed here except the packages of this repository."""
    folder = tmp_path_factory.mktemp("third-party")
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not entry.name.startswith(OURS):
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="session")
def environment_with(wheel_of, third_party, tmp_path_factory) -> Callable[[list[Path]], Environment]:
    """A fresh environment with the packages in some folders, from their wheels."""

    def make(folders: list[Path]) -> Environment:
        environment = Environment(tmp_path_factory.mktemp("environment") / "venv", third_party)
        environment.install([wheel_of(folder) for folder in folders])
        return environment

    return make
