"""The registry: what the installed plugins bring, and which of it a name means."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diffeo_registry import lookup
from diffeo_registry.assembly import Assembly
from diffeo_registry.discovery import Plugin, Record, discover
from diffeo_registry.names import normalized_package
from diffeo_registry.recipes import RegisteredRecipe
from diffeo_registry.records import Kind
from diffeo_registry.registered import Registered
from diffeo_registry.wording import did_you_mean

__all__ = ["Registry", "installed"]


class Registry:
    """Components, kinds, recipes and commands by the plugins that brought them; immutable.

    Listing imports neither configs nor implementations: ``Registered.load_config`` and ``load_implementation`` do, for
    one component each.
    """

    plugins: tuple[Plugin, ...]
    """All of them, the broken and the disabled ones too."""
    components: tuple[Registered, ...]
    kinds: Mapping[str, Kind]
    recipes: tuple[RegisteredRecipe, ...]
    commands: Mapping[str, str]
    """Name of a command -> ``"package.module:click_command"``."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        assembly = Assembly()
        self.plugins = tuple(assembly.add(plugin) for plugin in plugins)
        self.components = tuple(assembly.components)
        self.kinds = assembly.kinds
        self.recipes = tuple(assembly.recipes)
        self.commands = assembly.commands

    @classmethod
    def from_records(cls, records: Mapping[str, Sequence[Record]]) -> "Registry":
        """A registry of records by package, without entry points: for tests, and for trying a component out."""
        plugins = [
            Plugin(name=package, package=normalized_package(package), package_version="0", records=tuple(of_package))
            for package, of_package in records.items()
        ]
        return cls(plugins)

    @property
    def broken(self) -> tuple[Plugin, ...]:
        """The plugins that could not be loaded."""
        return tuple(plugin for plugin in self.plugins if plugin.error)

    @property
    def run_plugins(self) -> tuple[Any, ...]:
        """The plugin modules that implement run hooks."""
        return tuple(plugin.module for plugin in self.plugins if plugin.has_run_hooks)

    def find(self, name: str, kinds: str | Sequence[str]) -> Registered:
        """The component that ``[package/]name[@version]`` means in a slot of these kinds; ``DiffeoError`` if none."""
        return lookup.find(name, (kinds,) if isinstance(kinds, str) else tuple(kinds), self)

    def of(self, config: Any) -> Registered:
        """The component a config, object or class, belongs to; ``DiffeoError`` if there is none."""
        return lookup.of_config(config if isinstance(config, type) else type(config), self.components)

    def of_kind(self, kind: str) -> tuple[Registered, ...]:
        """The components of one kind, by name, version and package."""
        return tuple(component for component in self.components if kind in component.kinds)

    def remark(self, component: Registered) -> str:
        """What a listing has to say about a component: its kind is unknown, or it is deprecated; often nothing."""
        remarks = [
            f"kind {kind!r} is unknown{did_you_mean(kind, self.kinds) or '; no installed plugin declares it'}"
            for kind in component.kinds
            if kind not in self.kinds
        ]
        if component.component.deprecated:
            remarks.append(f"deprecated: {component.component.deprecated}")
        return "; ".join(remarks)

    def __repr__(self) -> str:
        return f"<Registry: {len(self.components)} components of {len(self.plugins)} plugins>"


def installed() -> Registry:
    """The registry of what is installed, discovered once per process, without the packages in ``DIFFEO_DISABLE``."""
    return _installed(os.environ.get("DIFFEO_DISABLE", ""))


@functools.cache
def _installed(disable: str) -> Registry:
    return Registry(discover([package.strip() for package in disable.split(",") if package.strip()]))
