"""Plugins: loaded one by one from the entry points of group ``diffeo.plugins``, each on its own.

Whatever a plugin does wrong (it raises at import or in a hook, has a misspelt hook or none, needs a newer API, returns
something that is not a record) is written down as its error. Nothing here raises for it: whoever needs the plugin does.
What it prints meanwhile goes to standard error, since somebody may be reading ``diffeo list --json``.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

import attrs
import pluggy

from diffeo_registry.handshake import check_api, check_hooks, explain
from diffeo_registry.hooks import PROJECT, RegistryHooks, RunHooks
from diffeo_registry.names import normalized_package
from diffeo_registry.records import Component, Kind, Recipe
from diffeo_registry.wording import one_line, show

__all__ = ["GROUP", "Plugin", "Record", "discover", "run_hooks"]

GROUP = "diffeo.plugins"

Record = Component | Kind | Recipe


@attrs.frozen(kw_only=True)
class Plugin:
    """One entry point: what it brought, or why it could not be loaded."""

    name: str
    package: str
    package_version: str = ""
    module: Any = attrs.field(default=None, repr=False)
    records: tuple[Record, ...] = ()
    commands: Mapping[str, str] = attrs.field(factory=dict[str, str])
    has_run_hooks: bool = False
    error: str = ""
    """Why it could not be loaded, one line; empty for a working plugin."""
    disabled: bool = False
    """Skipped because ``DIFFEO_DISABLE`` names its package."""
    seconds: float = 0.0
    """How long it took to load, so that a slow one can be found."""

    def broken(self, error: str) -> "Plugin":
        """This plugin without anything it brought."""
        return attrs.evolve(self, records=(), commands={}, has_run_hooks=False, error=one_line(error))

    def __str__(self) -> str:
        state = f" could not be loaded: {self.error}" if self.error else ""
        return f"plugin {self.name!r} of {self.package}{state}"


def discover(disabled: Iterable[str] = (), path: list[str] | None = None) -> list[Plugin]:
    """Every installed plugin; those of packages in ``disabled`` are not loaded. ``path`` defaults to ``sys.path``."""
    skipped = {normalized_package(package) for package in disabled}
    plugins: list[Plugin] = []
    packages: set[str] = set()
    for distribution in distributions() if path is None else distributions(path=path):
        text = distribution.read_text("entry_points.txt")
        if not text or GROUP not in text:
            continue
        package = normalized_package(_name(distribution))
        if package not in packages:  # the first one on the path is the one that gets imported
            packages.add(package)
            plugins += _of_distribution(distribution, package, disabled=package in skipped)
    return sorted(plugins, key=_order)


def _order(plugin: Plugin) -> tuple[bool, str, str]:
    return (plugin.package != PROJECT, plugin.package, plugin.name)


def _name(distribution: Distribution) -> str:
    return distribution.metadata["Name"] or "unknown"


def _of_distribution(distribution: Distribution, package: str, *, disabled: bool) -> Iterator[Plugin]:
    version = distribution.metadata["Version"] or ""
    try:
        entry_points = [point for point in distribution.entry_points if point.group == GROUP]
    except Exception as error:  # a malformed entry_points.txt
        text = f"its entry_points.txt cannot be read: {_describe(error)}"
        yield Plugin(name="?", package=package, package_version=version).broken(text)
        return
    for point in entry_points:
        plugin = Plugin(name=point.name, package=package, package_version=version, disabled=disabled)
        yield plugin if disabled else _load(plugin, point)


def _load(plugin: Plugin, point: EntryPoint) -> Plugin:
    started = time.perf_counter()
    try:
        with redirect_stdout(sys.stderr):
            loaded = _call(plugin, point.load())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and friends too: one plugin must not take the others down
        loaded = plugin.broken(explain(error) or _describe(error))
    return attrs.evolve(loaded, seconds=time.perf_counter() - started)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(RegistryHooks)
    manager.add_hookspecs(RunHooks)
    return manager


def _call(plugin: Plugin, module: Any) -> Plugin:
    check_api(module, plugin.package)
    check_hooks(module)
    manager = _manager()
    manager.register(module)
    manager.check_pending()
    callers = {caller.name for caller in manager.get_hookcallers(module) or ()}
    if not callers:
        return plugin.broken("it implements no hook; mark its functions with @diffeo_registry.hookimpl")
    return attrs.evolve(
        plugin,
        module=module,
        records=_records(manager) if "diffeo_components" in callers else (),
        commands=_commands(manager) if "diffeo_commands" in callers else {},
        has_run_hooks=any(name in vars(RunHooks) for name in callers),
    )


def _records(manager: pluggy.PluginManager) -> tuple[Record, ...]:
    results: list[Any] = manager.hook.diffeo_components()
    result: Any = results[0] if results else None  # pluggy leaves out a result of None
    if not isinstance(result, (list, tuple)):
        raise TypeError(f"expected diffeo_components to return a list of records; got {show(result)}")
    records: list[Record] = []
    for record in result:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(record, Record):
            raise TypeError(f"expected a Component, Kind or Recipe from diffeo_components; got {show(record)}")
        records.append(record)
    return tuple(records)


def _commands(manager: pluggy.PluginManager) -> dict[str, str]:
    results: list[Any] = manager.hook.diffeo_commands()
    result: Any = results[0] if results else None
    if not isinstance(result, dict):
        raise TypeError(f"expected diffeo_commands to return a dict of name to reference; got {show(result)}")
    commands: dict[str, str] = {}
    for name, reference in result.items():  # pyright: ignore[reportUnknownVariableType]
        if not (isinstance(name, str) and isinstance(reference, str) and ":" in reference):
            raise TypeError(f"expected a command as name: 'package.module:command'; got {show({name: reference})}")
        commands[name] = reference
    return commands


def run_hooks(plugins: Iterable[Any]) -> pluggy.PluginManager:
    """What calls the run hooks of these modules: ``run_hooks(registry.run_plugins).hook.diffeo_step_done(...)``."""
    manager = _manager()
    for plugin in plugins:
        if not manager.is_registered(plugin):
            manager.register(plugin)
    return manager
