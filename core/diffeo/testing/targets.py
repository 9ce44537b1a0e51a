"""What is to be checked: one component, or all of a package. No torch here: a misspelt name is told at once."""

from diffeo_registry import DiffeoError, Name, Registered, Registry, installed
from diffeo_registry.catalogue import CATALOGUE
from diffeo_registry.names import normalized_package
from diffeo_registry.wording import did_you_mean

__all__ = ["find_targets"]

Target = tuple[str, Registered]


def find_targets(text: str) -> list[Target]:
    """(kind, component) of every component that ``text`` means, as far as its kind has laws.

    ``kind/name`` is one component, in that kind; a package's name means all it brings. A name may carry package and version
    as in a spec: ``bijector/acme-flows/leaky@1``.
    """
    registry = installed()
    prefix, slash, rest = text.partition("/")
    kinds = {name: kind.name for kind in registry.kinds.values() for name in (kind.name, kind.plural)}
    if slash and prefix.lower() in kinds:
        return [_one(kinds[prefix.lower()], rest, registry)]
    if slash:
        hint = did_you_mean(prefix, kinds) or f"; there are {', '.join(sorted(registry.kinds))}"
        raise DiffeoError(f"expected KIND/NAME or a package; got {text!r}: no kind named {prefix!r}{hint}")
    return _package(text, registry)


def _one(kind: str, name: str, registry: Registry) -> Target:
    component = registry.find(name, kind)
    if not registry.kinds[kind].laws:
        raise DiffeoError(f"expected a component of a kind that has laws; got {kind}/{Name.parse(name).name}")
    return kind, component


def _package(text: str, registry: Registry) -> list[Target]:
    package = normalized_package(text)
    brought = [one for one in registry.components if one.package == package]
    if not brought:
        raise DiffeoError(_unknown(text, package, registry))
    found = [
        (kind, one) for one in brought for kind in one.kinds if kind in registry.kinds and registry.kinds[kind].laws
    ]
    if not found:
        raise DiffeoError(f"expected a package with components of a kind that has laws; {package} brings none")
    return found


def _unknown(text: str, package: str, registry: Registry) -> str:
    plugins = [plugin for plugin in registry.plugins if plugin.package == package]
    if plugins:
        why = next((f": {plugin}" for plugin in plugins if plugin.error), "")
        return f"{package} is installed and brings no component{why}; see diffeo list --plugins"
    if package in CATALOGUE:
        return f"{package} is not installed: pip install {package}"
    packages = {one.package for one in registry.components}
    like = [f"{kind}/{one.name}" for one in registry.components for kind in one.kinds if one.name == text]
    hint = f"; did you mean {like[0]!r}?" if like else did_you_mean(package, packages)
    return f"no package named {text!r} brings components" + (hint or f"; there are {', '.join(sorted(packages))}")
