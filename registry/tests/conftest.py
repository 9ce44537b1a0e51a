"""Fixtures: toy components, and folders with fake installed packages."""

import importlib.util
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from diffeo_registry import DiffeoError, Registry, SpecError

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def toys() -> Iterator[ModuleType]:
    """The module of toy_components.py, importable as ``diffeo_toys`` while the tests run."""
    spec = importlib.util.spec_from_file_location("diffeo_toys", HERE / "toy_components.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["diffeo_toys"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["diffeo_toys"]


@pytest.fixture
def registry(toys: ModuleType) -> Registry:
    return Registry.from_records(toys.RECORDS)


@pytest.fixture
def lines() -> Callable[[Callable[[], Any]], list[str]]:
    """The lines of the error that an action ends in."""

    def of(action: Callable[[], Any]) -> list[str]:
        with pytest.raises(DiffeoError) as caught:
            action()
        if isinstance(caught.value, SpecError):
            assert len(caught.value.problems) == len(str(caught.value).splitlines())
        return str(caught.value).splitlines()

    return of


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes a package and its metadata into a folder on sys.path: ``install("acme-flows", source, plugin="acme")``."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def write(package: str, source: str, plugin: str = "main", entry_points: str | None = None) -> Path:
        module = f"{package.replace('-', '_').replace('.', '_').lower()}_{plugin}"
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        info = folder / f"{package.replace('-', '_')}-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        file = info / "entry_points.txt"
        known = file.read_text() if file.exists() else "[diffeo.plugins]\n"
        file.write_text(entry_points if entry_points is not None else f"{known}{plugin} = {module}\n")
        return folder

    yield write
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]
