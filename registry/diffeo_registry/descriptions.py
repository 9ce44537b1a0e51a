"""What there is to know about a component without torch: its fields, and where its config and implementation stand."""

from typing import Any

import attrs

from diffeo_registry.config_types import config_fields, default_of, is_config, slots_of, type_text
from diffeo_registry.fields import BOUNDS, FORMER, HELP, Bounds
from diffeo_registry.registered import Registered
from diffeo_registry.registry import Registry
from diffeo_registry.sources import Source, find_source
from diffeo_registry.unstructuring import plain_default
from diffeo_registry.wording import one_line
from diffeo_registry.yaml_text import to_flow_yaml

__all__ = ["Description", "FieldDescription", "describe", "describe_fields"]


@attrs.frozen(kw_only=True)
class FieldDescription:
    """One field in words: what a table of fields shows."""

    name: str
    type: str
    default: str
    """As one would write it in YAML; empty where there is none."""
    bounds: str
    """``>= 1``, ``> 0 and < 1``, ``one of 'a', 'b'``; empty where anything of the type goes."""
    help: str
    required: bool
    former: tuple[str, ...] = ()
    """The keys it had before it was renamed."""


@attrs.frozen(kw_only=True)
class Description:
    """A component, its fields and its sources."""

    registered: Registered
    text: str
    """The docstring of its config, as one line; empty if it has none of its own."""
    fields: tuple[FieldDescription, ...]
    config: Source | None
    implementation: Source | None
    remark: str


def describe(registered: Registered, registry: Registry) -> Description:
    """Describe a component; imports its config, never its implementation."""
    config = registered.load_config()
    return Description(
        registered=registered,
        text=one_line(config.__doc__ or ""),
        fields=describe_fields(config, registry),
        config=find_source(registered.component.config),
        implementation=find_source(registered.component.implementation),
        remark=registry.remark(registered),
    )


def describe_fields(config: type[Any], registry: Registry) -> tuple[FieldDescription, ...]:
    """The fields of a config class, in the order they are written."""
    return tuple(_describe_field(key, field, registry) for key, field in config_fields(config).items())


def _describe_field(key: str, field: "attrs.Attribute[Any]", registry: Registry) -> FieldDescription:
    bounds: Bounds = field.metadata.get(BOUNDS, Bounds())
    return FieldDescription(
        name=key,
        type=type_text(field.type),
        default=_default_text(field, registry),
        bounds="" if bounds == Bounds() else str(bounds).removeprefix("a value "),
        help=field.metadata.get(HELP, ""),
        required=field.default is attrs.NOTHING,
        former=field.metadata.get(FORMER, ()),
    )


def _default_text(field: "attrs.Attribute[Any]", registry: Registry) -> str:
    default = default_of(field)
    if default is attrs.NOTHING:
        return "" if field.default is attrs.NOTHING else "depends on other fields"
    if is_config(default) and not slots_of(field.type):  # a section of fields, described on its own
        return "the defaults of its fields"
    return to_flow_yaml(plain_default(field, registry))
