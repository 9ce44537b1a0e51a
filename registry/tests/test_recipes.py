"""Recipes are found by name and read without importing their package."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from diffeo_registry import Registry, find_recipe

Lines = Callable[[Callable[[], Any]], list[str]]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "acme_recipes"
    (folder / "specs").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('imported')")
    (folder / "specs" / "one.yaml").write_text("seed: 1  # é\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_read_without_import(package: Path, toys: ModuleType) -> None:
    registry = Registry.from_records({"acme": toys.RECIPES})
    recipe = find_recipe("topic/one", registry)
    assert recipe.read_text() == "seed: 1  # é\n"
    assert recipe.path() == package / "specs" / "one.yaml"
    assert (recipe.package, recipe.name) == ("acme", "topic/one")
    assert "acme_recipes" not in sys.modules


def test_did_you_mean(toys: ModuleType, lines: Lines) -> None:
    registry = Registry.from_records({"acme": toys.RECIPES})
    assert lines(lambda: find_recipe("topic/on", registry)) == ["no recipe named 'topic/on'; did you mean 'topic/one'?"]
    assert lines(lambda: find_recipe("zzz", registry)) == ["no recipe named 'zzz'; see diffeo recipes"]


def test_one_name_from_two_packages(toys: ModuleType, lines: Lines) -> None:
    registry = Registry.from_records({"acme": toys.RECIPES, "bravo": toys.RECIPES})
    assert len(registry.recipes) == 2
    assert lines(lambda: find_recipe("topic/one", registry)) == [
        "recipe 'topic/one' comes with acme and bravo; disable one: DIFFEO_DISABLE=bravo"
    ]


def test_a_file_that_is_not_there(package: Path, toys: ModuleType, lines: Lines) -> None:
    (package / "specs" / "one.yaml").unlink()
    registry = Registry.from_records({"acme": toys.RECIPES})
    assert lines(find_recipe("topic/one", registry).read_text) == [
        "recipe 'topic/one' of acme is to be in acme_recipes:specs/one.yaml; got no such file"
    ]


def test_two_recipes_of_one_name_in_a_package(toys: ModuleType) -> None:
    registry = Registry.from_records({"acme": [*toys.RECIPES, *toys.RECIPES]})
    assert [one.error for one in registry.plugins] == ["it brings two recipes named 'topic/one'"]
