"""Which component a name means in a slot, and what to say where it means none, or two."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from diffeo_registry.catalogue import CATALOGUE, package_of
from diffeo_registry.errors import DiffeoError, PluginError
from diffeo_registry.names import Name
from diffeo_registry.registered import Registered
from diffeo_registry.wording import did_you_mean, listed, with_article

if TYPE_CHECKING:
    from diffeo_registry.registry import Registry

__all__ = ["find", "named", "of_config"]


def find(text: str, kinds: tuple[str, ...], registry: "Registry") -> Registered:
    """The component that ``text`` means in a slot of these kinds; without a version the newest not deprecated."""
    name = Name.parse(text)
    fitting = [one for one in named(name, registry) if set(one.kinds) & set(kinds)]
    if not fitting:
        raise DiffeoError(_not_found(name, kinds, registry))
    _check_packages(name, fitting)
    _check_kinds(name, kinds, fitting)
    if name.version is None:
        return max(fitting, key=lambda one: (not one.component.deprecated, one.version))
    versions = {one.version: one for one in fitting}
    if name.version not in versions:
        there_is = "there is" if len(versions) == 1 else "there are"
        raise DiffeoError(
            f"{name.name!r} has no version {name.version}; {there_is} {listed(map(str, versions), 'and')}"
        )
    return versions[name.version]


def of_config(config: type[Any], components: Sequence[Registered]) -> Registered:
    """The component a config class belongs to, also where its record names a module that only re-exports the class."""
    reference = f"{config.__module__}:{config.__qualname__}"
    found = [one for one in components if one.component.config == reference]
    if not found:
        same_name = [one for one in components if one.component.config.endswith(f":{config.__qualname__}")]
        found = [one for one in same_name if _is_config_of(one, config)]
    if not found:
        raise DiffeoError(
            f"expected the config of an installed component; got {config.__module__}.{config.__qualname__}"
        )
    if len(found) > 1:
        names = listed([one.qualified for one in found], "and")
        raise PluginError(f"{reference} is registered as {names}; disable one: DIFFEO_DISABLE={found[-1].package}")
    return found[0]


def _is_config_of(one: Registered, config: type[Any]) -> bool:
    try:
        return one.load_config() is config
    except DiffeoError:  # somebody else's class of the same name
        return False


def named(name: Name, registry: "Registry") -> list[Registered]:
    """The components that have, or had, a name; of one package if the name is qualified. Versions are not compared."""
    return [one for one in registry.components if name.name in one.names and name.package in (None, one.package)]


def _check_packages(name: Name, fitting: list[Registered]) -> None:
    packages = sorted({one.package for one in fitting})
    if len(packages) > 1:
        spelt = listed(sorted({f"{one.package}/{one.name}" for one in fitting}))
        former = [f" (as the former name of {one.name!r})" for one in fitting if one.name != name.name]
        raise PluginError(
            f"{name.name!r} is registered by {listed(packages, 'and')}{''.join(former[:1])}; write {spelt}, or disable one: "
            f"DIFFEO_DISABLE={max(packages, key=_can_be_missed)}"
        )


def _can_be_missed(package: str) -> tuple[bool, str]:
    """Of two packages with one name, the greater is the one to leave out: ours are what others build on."""
    return (package != "diffeo" and package not in CATALOGUE, package)


def _check_kinds(name: Name, kinds: tuple[str, ...], fitting: list[Registered]) -> None:
    for one in fitting:
        for other in fitting:
            if not set(one.kinds) & set(other.kinds):
                found = [with_article(kind) for kind in kinds if kind in (*one.kinds, *other.kinds)]
                raise PluginError(
                    f"{name.name!r} is {listed(found, 'and')} of {one.package}, and both fit here; "
                    f"its author has to rename one"
                )


def _not_found(name: Name, kinds: tuple[str, ...], registry: "Registry") -> str:
    return (
        _other_kind(name, kinds, registry) or _absent_package(name, kinds, registry) or _unknown(name, kinds, registry)
    )


def _other_kind(name: Name, kinds: tuple[str, ...], registry: "Registry") -> str:
    found = sorted({with_article(kind) for one in named(name, registry) for kind in one.kinds})
    return f"{str(name)!r} is {listed(found, 'and')}; expected {with_article(listed(kinds))}" if found else ""


def _absent_package(name: Name, kinds: tuple[str, ...], registry: "Registry") -> str:
    package = name.package or package_of(name.name, kinds)
    if package is None:
        return ""
    plugins = [plugin for plugin in registry.plugins if plugin.package == package]
    verb = "is to come from" if name.package else "comes with"
    if any(plugin.disabled for plugin in plugins):
        return f"{str(name)!r} {verb} {package}, which DIFFEO_DISABLE leaves out"
    if not plugins and any(package in (kind.name, kind.plural) for kind in registry.kinds.values()):
        return f"expected a package before the slash of {str(name)!r}; got a kind: write {name.name!r}"
    if not plugins:
        found = [f"{one.package}/{one.name}" for one in named(Name(name.name), registry) if set(one.kinds) & set(kinds)]
        instead = f", or write {found[0]!r}" if found else ""
        return f"{str(name)!r} {verb} {package}, which is not installed: pip install {package}{instead}"
    broken = next((plugin for plugin in plugins if plugin.error), None)
    return f"{str(name)!r} {verb} {package}, but {broken}; see diffeo list --plugins" if broken else ""


def _unknown(name: Name, kinds: tuple[str, ...], registry: "Registry") -> str:
    of_kinds = [one for one in registry.components if set(one.kinds) & set(kinds)]
    of_package = [one for one in of_kinds if name.package in (None, one.package)]
    elsewhere = [f"{one.package}/{one.name}" for one in of_kinds if one.name == name.name]
    hint = did_you_mean(name.name, {one.name for one in of_package})
    if elsewhere:
        hint = f"; did you mean {elsewhere[0]!r}?"
    elif not hint:
        kind = registry.kinds.get(kinds[0])
        hint = f"; see diffeo list {kind.plural if kind else kinds[0]}"
    place = f" in {name.package}" if name.package else ""
    problems = "".join(f"; {plugin}; see diffeo list --plugins" for plugin in registry.broken)
    return f"no {listed(kinds)} named {name.name!r}{place}{hint}{problems}"
