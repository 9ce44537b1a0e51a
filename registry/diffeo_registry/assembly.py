"""Putting plugins together, and what makes one unusable beside the others."""

from diffeo_registry.discovery import Plugin, Record
from diffeo_registry.errors import PluginError
from diffeo_registry.recipes import RegisteredRecipe
from diffeo_registry.records import Component, Kind
from diffeo_registry.registered import Registered
from diffeo_registry.wording import listed

__all__ = ["Assembly"]


class Assembly:
    """Collects what plugins bring, in their order; one that contradicts itself or an earlier one is broken.

    The same component name from two packages is no contradiction: it becomes an error where the bare name is used.
    """

    def __init__(self) -> None:
        self.components: list[Registered] = []
        self.kinds: dict[str, Kind] = {}
        self.recipes: list[RegisteredRecipe] = []
        self.commands: dict[str, str] = {}
        self._declared_by: dict[str, str] = {}

    def add(self, plugin: Plugin) -> Plugin:
        """Take in what a plugin brings; returns it, or a broken version of it."""
        try:
            components = self._checked_components(plugin)
            self._check_kinds(plugin)
            self._check_recipes(plugin)
            self._check_commands(plugin)
        except PluginError as error:
            return plugin.broken(str(error))
        self.components = sorted([*self.components, *components], key=lambda one: (one.name, one.version, one.package))
        for record in plugin.records:
            self._take(record, plugin)
        self.commands.update(plugin.commands)
        self._declared_by.update({f"command {name}": plugin.package for name in plugin.commands})
        return plugin

    def _take(self, record: Record, plugin: Plugin) -> None:
        if isinstance(record, Kind):
            self.kinds[record.name] = record
            self._declared_by.setdefault(f"kind {record.name}", plugin.package)
        elif not isinstance(record, Component):
            package, version = plugin.package, plugin.package_version
            self.recipes.append(RegisteredRecipe(recipe=record, package=package, package_version=version))
            self.recipes.sort(key=lambda one: (one.name, one.package))

    def _checked_components(self, plugin: Plugin) -> list[Registered]:
        taken = [one for one in self.components if one.package == plugin.package]
        new: list[Registered] = []
        for component in (record for record in plugin.records if isinstance(record, Component)):
            one = Registered(component=component, package=plugin.package, package_version=plugin.package_version)
            for other in [*taken, *new]:
                _check_pair(one, other)
            new.append(one)
        return new

    def _check_kinds(self, plugin: Plugin) -> None:
        for kind in (record for record in plugin.records if isinstance(record, Kind)):
            if self.kinds.get(kind.name, kind) != kind:
                package = self._declared_by[f"kind {kind.name}"]
                raise PluginError(f"it declares kind {kind.name!r}, which {package} declares differently")

    def _check_recipes(self, plugin: Plugin) -> None:
        names = [one.name for one in self.recipes if one.package == plugin.package]
        for record in plugin.records:
            if isinstance(record, Component | Kind):
                continue
            if record.name in names:
                raise PluginError(f"it brings two recipes named {record.name!r}")
            names.append(record.name)

    def _check_commands(self, plugin: Plugin) -> None:
        for name in plugin.commands:
            if name in self.commands:
                raise PluginError(f"it adds command {name!r}, which {self._declared_by[f'command {name}']} adds too")


def _check_pair(one: Registered, other: Registered) -> None:
    shared = [kind for kind in one.kinds if kind in other.kinds]
    if one.name == other.name and one.version == other.version and shared:
        raise PluginError(f"it registers {listed(shared, 'and')} {one.name}@{one.version} twice")
    if one.name != other.name and shared:
        _check_former_names(one, other)
        _check_former_names(other, one)
    if one.component.config == other.component.config:
        names = f"{other.name}@{other.version} and {one.name}@{one.version}"
        raise PluginError(f"it gives {names} the same config {one.component.config}; each needs a class of its own")


def _check_former_names(one: Registered, other: Registered) -> None:
    """A former name stays that of one component, so that specs keep their meaning."""
    for alias in one.component.aliases:
        if alias in other.names:
            taken = "a former name" if alias in other.component.aliases else "the name"
            raise PluginError(
                f"it gives {one.name!r} the former name {alias!r}, which is {taken} of its {other.name!r}"
            )
