"""The manifest."""

from diffeo_registry import Component, Kind, Recipe, hookimpl


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    return []
