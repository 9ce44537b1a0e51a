"""What the rules of the repository speak about: its packages, its files, a bare interpreter to import them in.

The argument ``package`` runs a test once for every package, ``example_module`` once for every module with a doctest.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Package(NamedTuple):
    """One folder with a ``pyproject.toml``; its names follow from the folder (see ``test_layout.py``)."""

    folder: Path
    name: str
    module: str

    @property
    def code(self) -> Path:
        return self.folder / self.module

    @property
    def sources(self) -> list[Path]:
        return sorted(self.code.rglob("*.py"))

    @property
    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text())

    @property
    def declared(self) -> set[str]:
        """Names of the packages it declares as dependencies, normalised."""
        return {normalised(re.split(r"[^\w.-]", line)[0]) for line in self.pyproject["project"]["dependencies"]}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(folder: Path) -> Package:
    """The one rule for names: ``core`` is diffeo, every other folder X is diffeo-X, imported as diffeo_X."""
    name = "diffeo" if folder == ROOT / "core" else f"diffeo-{folder.name}"
    return Package(folder=folder, name=name, module=name.replace("-", "_"))


def _packages() -> list[Package]:
    plugins = sorted(
        path for path in (ROOT / "plugins").iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
    )
    return [_package(folder) for folder in (ROOT / "registry", ROOT / "core", *plugins)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "package" in metafunc.fixturenames:
        metafunc.parametrize("package", _packages(), ids=lambda package: package.name)
    if "example_module" in metafunc.fixturenames:
        metafunc.parametrize("example_module", list(_modules_with_examples()))


def _modules_with_examples() -> Iterator[str]:
    for package in _packages():
        for path in package.sources:
            if ">>> " in path.read_text():
                parts = path.relative_to(package.folder).with_suffix("").parts
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def packages() -> list[Package]:
    return _packages()


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file git tracks or would track, as absolute paths."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout: the rule is about tracked files")
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def texts(tracked: list[Path]) -> dict[Path, str]:
    """The text of every tracked file that is text, by its path from the root."""
    found: dict[Path, str] = {}
    for path in tracked:
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(ROOT)] = data.decode("utf-8", "replace")
    return found


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in an interpreter of its own; ``without`` names modules that cannot be imported there."""

    def run(
        code: str, *, without: tuple[str, ...] = (), python: str = sys.executable
    ) -> subprocess.CompletedProcess[str]:
        blocker = f"""
import sys
class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {without!r}:
            raise ImportError(f"{{name}} must not be imported here")
sys.meta_path.insert(0, Blocker)
"""
        hidden = ("DIFFEO_", "PYTHON")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        return subprocess.run(
            [python, "-c", blocker + code], capture_output=True, text=True, env=environment, check=False
        )

    return run


@pytest.fixture(scope="session")
def imports() -> Callable[[Path], Iterator[tuple[str, int]]]:
    """(module, line) of every absolute import in a file, wherever it stands in it."""

    def find(path: Path) -> Iterator[tuple[str, int]]:
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module is not None
                yield node.module, node.lineno
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)

    return find
