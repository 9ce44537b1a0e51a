"""The manifest: what diffeo-loft brings."""

from diffeo_loft.records import COMPONENTS
from diffeo_loft.records_evaluators import COMPONENTS as EVALUATORS
from diffeo_loft.records_recipes import RECIPES
from diffeo_loft.records_targets import COMPONENTS as TARGETS
from diffeo_registry import Component, Kind, Recipe, hookimpl


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    return [*COMPONENTS, *TARGETS, *EVALUATORS, *RECIPES]
