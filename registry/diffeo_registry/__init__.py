"""The torch-free half of diffeo: records, discovery, names, specs, schema and errors."""

from diffeo_registry.errors import BuildError, DiffeoError, Path, PluginError, Problem, SpecError, format_path
from diffeo_registry.fields import Slot, field
from diffeo_registry.hooks import PLUGIN_API, hookimpl
from diffeo_registry.records import Component, Kind, Recipe

__all__ = [
    "PLUGIN_API",
    "BuildError",
    "Component",
    "DiffeoError",
    "Kind",
    "Path",
    "PluginError",
    "Problem",
    "Recipe",
    "Slot",
    "SpecError",
    "field",
    "format_path",
    "hookimpl",
]
