"""What a plugin hands over: records made of strings, so that listing them imports nothing heavy."""

import re
from typing import Any

import attrs

__all__ = ["Component", "ComponentsOf", "Kind", "Recipe"]


def _as_names(value: "str | tuple[str, ...] | list[str]") -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_reference(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    module, colon, qualname = value.partition(":")
    if not (module and colon and qualname):
        raise ValueError(f"expected {attribute.name} as 'package.module:Class'; got {value!r}")


def _is_reference_if_any(instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if value:
        _is_reference(instance, attribute, value)


def _is_name(_instance: object, attribute: "attrs.Attribute[Any]", value: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(f"expected {attribute.name} of letters, digits and underscores; got {value!r}")


def _are_names(instance: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError(f"expected at least one {attribute.name}; got none")
    for name in value:
        _is_name(instance, attribute, name)


def _are_other_names(instance: "Component", attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    for name in value:
        _is_name(instance, attribute, name)
    if instance.name in value:
        raise ValueError(f"expected {attribute.name} other than the name itself; got {instance.name!r}")


def _is_text(_instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"expected {attribute.name} as a string; got {value!r}")


def _is_recipe_name(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", value):
        raise ValueError(f"expected {attribute.name} as 'topic/name'; got {value!r}")


@attrs.frozen(kw_only=True)
class Component:
    """One named part: a config class, the class that implements it, and where it comes from.

    ``kind`` is one kind or several (a flow is a ``model`` and a ``distribution``). ``config`` and ``implementation``
    are references ``"package.module:Class"``, imported only when a spec uses the component. A config class belongs to
    exactly one (name, version): a new version comes with a config class of its own.
    """

    kind: tuple[str, ...] = attrs.field(converter=_as_names, validator=_are_names)
    name: str = attrs.field(validator=_is_name)
    config: str = attrs.field(validator=_is_reference)
    implementation: str = attrs.field(validator=_is_reference)
    summary: str = attrs.field(validator=_is_text)
    version: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    source: str = attrs.field(default="", validator=_is_text)
    """Authors, year and arXiv number or DOI of the method; empty for what has no paper."""
    deprecated: str = attrs.field(default="", validator=_is_text)
    """Why not to use it any more and what to write instead; empty for a component in good standing."""
    aliases: tuple[str, ...] = attrs.field(default=(), converter=_as_names, validator=_are_other_names)
    """Former names: specs and saved models that use one keep working, with a warning that says what to write."""
    cases: str = attrs.field(default="", validator=_is_reference_if_any)
    """Where the cases stand that it is tested with (``diffeo conform``), a sequence of ``diffeo.testing.Case``:
    ``"acme_flows.conformance:CASES"``. Without, the kit tries the default fields at a list of common shapes."""


@attrs.frozen
class ComponentsOf:
    """Writes the records of one package, in which configs stand in one module and cases in another.

    >>> component = ComponentsOf("acme_flows", source="Acme 2026")
    >>> component("bijector", "warp", "Warp", "warp:WarpBijector", "Bends the line.").implementation
    'acme_flows.warp:WarpBijector'
    """

    package: str
    config: str = attrs.field(default="config", kw_only=True)
    """The module of the config classes, inside the package."""
    cases: str = attrs.field(default="conformance", kw_only=True)
    """The module whose ``CASES`` the components are tested with."""
    source: str = attrs.field(default="", kw_only=True)
    """The source of those that state none."""

    def __call__(
        self, kind: str, name: str, config: str, implementation: str, summary: str, source: str | None = None
    ) -> Component:
        """A record: ``config`` is a class in the module of configs, ``implementation`` a ``"module:Class"`` in the package."""
        return Component(
            kind=kind,
            name=name,
            config=f"{self.package}.{self.config}:{config}",
            implementation=f"{self.package}.{implementation}",
            summary=summary,
            source=self.source if source is None else source,
            cases=f"{self.package}.{self.cases}:CASES",
        )


@attrs.frozen(kw_only=True)
class Kind:
    """A family of components that can stand in the same slot.

    ``protocol`` is the base class an implementation derives from, ``built_with`` the arguments it takes after its
    config, in order: ``Implementation(config, *arguments)``. ``laws`` says where the laws of its components stand, a
    sequence of ``diffeo.testing.Law`` that imports no torch: ``"acme_flows.laws:LAWS"``; empty for a kind without any.
    """

    name: str = attrs.field(validator=_is_name)
    plural: str = attrs.field(validator=_is_text)
    protocol: str = attrs.field(validator=_is_reference)
    built_with: tuple[str, ...] = ()
    summary: str = attrs.field(validator=_is_text)
    laws: str = attrs.field(default="", validator=_is_reference_if_any)


@attrs.frozen(kw_only=True)
class Recipe:
    """A complete spec shipped with a package, named ``topic/name``; ``file`` is ``"package:path/inside/it.yaml"``."""

    name: str = attrs.field(validator=_is_recipe_name)
    file: str = attrs.field(validator=_is_reference)
    summary: str = attrs.field(validator=_is_text)
    source: str = attrs.field(default="", validator=_is_text)
