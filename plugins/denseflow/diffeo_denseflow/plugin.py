"""The manifest."""

from diffeo_denseflow.records import COMPONENTS
from diffeo_denseflow.records_recipes import RECIPES
from diffeo_registry import Component, Recipe, hookimpl


@hookimpl
def diffeo_components() -> list[Component | Recipe]:
    return [*COMPONENTS, *RECIPES]
