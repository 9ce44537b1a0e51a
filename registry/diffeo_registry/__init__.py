"""The torch-free half of diffeo: records, discovery, names, specs, schema and errors."""

from diffeo_registry.deprecations import DeprecatedNameWarning
from diffeo_registry.descriptions import Description, FieldDescription, describe, describe_fields
from diffeo_registry.discovery import Plugin, run_hooks
from diffeo_registry.document import Document
from diffeo_registry.errors import BuildError, DiffeoError, Path, PluginError, Problem, SpecError, format_path
from diffeo_registry.fields import Slot, field
from diffeo_registry.hooks import PLUGIN_API, hookimpl
from diffeo_registry.lazily import lazy_names
from diffeo_registry.names import Name
from diffeo_registry.recipes import RegisteredRecipe, find_recipe
from diffeo_registry.records import Component, ComponentsOf, Kind, Recipe
from diffeo_registry.registered import Registered, load_reference
from diffeo_registry.registry import Registry, installed
from diffeo_registry.schema import json_schema
from diffeo_registry.sources import Source, find_source
from diffeo_registry.structuring import structure
from diffeo_registry.unstructuring import unstructure
from diffeo_registry.yaml_text import to_yaml

__all__ = [
    "PLUGIN_API",
    "BuildError",
    "Component",
    "ComponentsOf",
    "DeprecatedNameWarning",
    "Description",
    "DiffeoError",
    "Document",
    "FieldDescription",
    "Kind",
    "Name",
    "Path",
    "Plugin",
    "PluginError",
    "Problem",
    "Recipe",
    "Registered",
    "RegisteredRecipe",
    "Registry",
    "Slot",
    "Source",
    "SpecError",
    "describe",
    "describe_fields",
    "field",
    "find_recipe",
    "find_source",
    "format_path",
    "hookimpl",
    "installed",
    "json_schema",
    "lazy_names",
    "load_reference",
    "run_hooks",
    "structure",
    "to_yaml",
    "unstructure",
]
