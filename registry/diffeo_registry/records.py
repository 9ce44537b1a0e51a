"""What a plugin hands over: records made of strings, so that listing them imports nothing heavy."""

import re
from typing import Any

import attrs

__all__ = ["Component", "Kind", "Recipe"]


def _as_kinds(value: "str | tuple[str, ...] | list[str]") -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_reference(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    module, colon, qualname = value.partition(":")
    if not (module and colon and qualname):
        raise ValueError(f"expected {attribute.name} as 'package.module:Class'; got {value!r}")


def _is_name(_instance: object, attribute: "attrs.Attribute[Any]", value: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(f"expected {attribute.name} of letters, digits and underscores; got {value!r}")


def _are_names(instance: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError(f"expected at least one {attribute.name}; got none")
    for name in value:
        _is_name(instance, attribute, name)


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

    kind: tuple[str, ...] = attrs.field(converter=_as_kinds, validator=_are_names)
    name: str = attrs.field(validator=_is_name)
    config: str = attrs.field(validator=_is_reference)
    implementation: str = attrs.field(validator=_is_reference)
    summary: str
    version: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    source: str = ""
    """Authors, year and arXiv number or DOI of the method; empty for what has no paper."""
    deprecated: str = ""
    """Why not to use it any more and what to write instead; empty for a component in good standing."""


@attrs.frozen(kw_only=True)
class Kind:
    """A family of components that can stand in the same slot.

    ``protocol`` is the base class an implementation derives from, ``built_with`` the arguments it takes after its
    config, in order: ``Implementation(config, *arguments)``.
    """

    name: str = attrs.field(validator=_is_name)
    plural: str
    protocol: str = attrs.field(validator=_is_reference)
    built_with: tuple[str, ...] = ()
    summary: str


@attrs.frozen(kw_only=True)
class Recipe:
    """A complete spec shipped with a package, named ``topic/name``; ``file`` is ``"package:path/inside/it.yaml"``."""

    name: str = attrs.field(validator=_is_recipe_name)
    file: str = attrs.field(validator=_is_reference)
    summary: str
    source: str = ""
