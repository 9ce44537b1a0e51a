"""The manifest."""

from diffeo_registry import Component, Recipe, hookimpl
from diffeo_vflow.records_augment import COMPONENTS as AUGMENT
from diffeo_vflow.records_checkerboard import RECIPES as CHECKERBOARD
from diffeo_vflow.records_evaluators import COMPONENTS as EVALUATORS
from diffeo_vflow.records_flowpp import COMPONENTS as FLOWPP
from diffeo_vflow.records_recipes import RECIPES as IMAGES


@hookimpl
def diffeo_components() -> list[Component | Recipe]:
    return [*FLOWPP, *AUGMENT, *EVALUATORS, *CHECKERBOARD, *IMAGES]
