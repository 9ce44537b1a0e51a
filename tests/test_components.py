"""Every record keeps its promises: references resolve, configs document themselves, classes fit their kind."""

import inspect
from typing import Any

import attrs
import pytest

from diffeo_registry import installed
from diffeo_registry.catalogue import CATALOGUE
from diffeo_registry.registered import load_reference


@pytest.fixture(scope="module")
def components() -> list[Any]:
    return list(installed().components)


def test_every_plugin_of_the_tree_is_loaded(components, packages):
    declared = {
        package.name for package in packages if "diffeo.plugins" in package.pyproject["project"].get("entry-points", {})
    }
    missing = declared - {item.package for item in components}
    assert not missing, f"packages with an entry point but without a component: {sorted(missing)}"


def test_every_config_is_frozen_keyword_only_and_documented(components):
    wrong: list[str] = []
    for item in components:
        config = item.load_config()
        if not attrs.has(config):
            wrong.append(f"{item.qualified}: {config.__name__} is not an attrs class")
            continue
        if not (config.__doc__ or "").strip():
            wrong.append(f"{item.qualified}: {config.__name__} has no docstring")
        if config.__setattr__ is object.__setattr__:
            wrong.append(f"{item.qualified}: {config.__name__} is not frozen")
        for field in attrs.fields(config):
            if not field.metadata.get("diffeo_help", "").strip():
                wrong.append(f"{item.qualified}: {field.name} has no help text")
            if not field.kw_only:
                wrong.append(f"{item.qualified}: {field.name} is not keyword-only")
    assert not wrong, "\n".join(wrong)


def test_every_implementation_follows_the_protocol_of_its_kind(components):
    kinds = installed().kinds
    wrong: list[str] = []
    for item in components:
        implementation = item.load_implementation()
        if not (implementation.__doc__ or "").strip():
            wrong.append(f"{item.qualified}: {implementation.__name__} has no docstring")
        for kind in item.kinds:
            if kind not in kinds:
                wrong.append(f"{item.qualified}: no plugin declares the kind {kind!r}")
                continue
            protocol = load_reference(kinds[kind].protocol)
            if (
                inspect.isclass(implementation)
                and inspect.isclass(protocol)
                and not issubclass(implementation, protocol)
            ):
                wrong.append(f"{item.qualified}: {implementation.__name__} is not a {protocol.__name__}")
    assert not wrong, "\n".join(wrong)


def test_every_record_is_summed_up_in_one_line(components):
    wrong = [
        item.qualified for item in components if not item.component.summary.strip() or "\n" in item.component.summary
    ]
    assert not wrong, f"expected a summary of one line; got another in {wrong}"


def test_catalogue_lists_what_the_first_party_plugins_bring(components, packages, root):
    plugins = {package.name for package in packages if package.folder.parent == root / "plugins"}
    brought = {
        (item.package, kind, name)
        for item in components
        if item.package in plugins
        for kind in item.kinds
        for name in item.names
    }
    listed = {
        (package, kind, name)
        for package, by_kind in CATALOGUE.items()
        for kind, names in by_kind.items()
        for name in names.split()
        if package in plugins
    }
    assert brought == listed, f"missing in the catalogue: {brought - listed}; brought by no package: {listed - brought}"


def test_a_config_class_belongs_to_one_component(components):
    seen: dict[str, str] = {}
    shared = [
        f"{item.qualified} and {seen[item.component.config]}"
        for item in components
        if seen.setdefault(item.component.config, item.qualified) != item.qualified
    ]
    assert not shared, f"one config class, two components: {shared}"


def test_every_recipe_is_a_valid_spec():
    import diffeo

    recipes = installed().recipes
    assert recipes, "no recipe is installed"
    for recipe in recipes:
        diffeo.load_spec(recipe.name)
