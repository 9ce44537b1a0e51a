"""JSON Schema (2020-12) of a spec and of everything installed, for editors that complete and check YAML."""

import enum
import itertools
import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs

from diffeo_registry.config_types import (
    arms,
    config_fields,
    is_list,
    is_mapping,
    is_subclass,
    item_type,
    slot_of,
    value_type,
)
from diffeo_registry.errors import DiffeoError
from diffeo_registry.fields import BOUNDS, FORMER, HELP, Bounds, Slot
from diffeo_registry.registered import Registered
from diffeo_registry.registry import Registry
from diffeo_registry.unstructuring import plain_default

__all__ = ["json_schema"]

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PRIMITIVES: Mapping[Any, Schema] = {
    Any: {},
    object: {},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}
_NOT_IN_JSON = (math.inf, -math.inf)
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def json_schema(root: type[Any], *, registry: Registry) -> Schema:
    """The schema of data that ``structure`` turns into ``root``.

    A slot takes a name, or a mapping of one name to its fields. Components whose config cannot be imported are left out,
    as a spec cannot use them either. Former keys and names are accepted, and marked as deprecated.
    """
    writer = _Writer(registry)
    schema = writer.config(root)
    return {"$schema": _DIALECT, **schema, "$defs": dict(sorted(writer.definitions.items()))}


class _Writer:
    """Writes schemas of types; those of slots, components and sections go to ``definitions``, once each."""

    def __init__(self, registry: Registry) -> None:
        self.definitions: dict[str, Schema] = {}
        self._registry = registry

    def config(self, config: type[Any]) -> Schema:
        """The mapping of a config's fields."""
        fields = config_fields(config)
        current = {key: self._field(field) for key, field in fields.items()}
        former = {
            old: _formerly(current[key], key) for key, field in fields.items() for old in field.metadata.get(FORMER, ())
        }
        schema: Schema = {"type": "object", "properties": {**current, **former}, "additionalProperties": False}
        renamed = {key: [key, *field.metadata[FORMER]] for key, field in fields.items() if field.metadata.get(FORMER)}
        required = [key for key in _required(config) if key not in renamed]
        if required:
            schema["required"] = required
        if renamed:
            schema["allOf"] = [
                _at_most_one(keys) if fields[key].default is not attrs.NOTHING else _exactly_one(keys)
                for key, keys in renamed.items()
            ]
        return schema

    def _field(self, field: "attrs.Attribute[Any]") -> Schema:
        schema = dict(_bounded(self._type(field.type), field.metadata.get(BOUNDS, Bounds())))
        if field.default is None and "anyOf" not in schema and schema:
            schema = {"anyOf": [schema, {"type": "null"}]}
        if field.metadata.get(HELP):
            schema["description"] = field.metadata[HELP]
        default = plain_default(field, self._registry)
        if default is not attrs.NOTHING and default not in _NOT_IN_JSON:
            schema["default"] = default
        return schema

    def _type(self, kind: Any) -> Schema:
        slot = slot_of(kind)
        if slot is not None:
            return self._slot(slot)
        if get_origin(kind) is Annotated:
            return self._type(get_args(kind)[0])
        if kind in _PRIMITIVES:
            return dict(_PRIMITIVES[kind])
        if len(arms(kind)) > 1:
            return {"anyOf": [self._type(arm) for arm in arms(kind)]}
        if get_origin(kind) is Literal:
            return {"enum": list(get_args(kind))}
        if is_subclass(kind, enum.Enum):
            return {"enum": [member.value for member in kind]}
        if is_subclass(kind, pathlib.PurePath):
            return {"type": "string"}
        if is_mapping(kind):
            return {"type": "object", "additionalProperties": self._type(value_type(kind))}
        if is_list(kind):
            return self._list(kind)
        return self._section(kind) if attrs.has(kind) else {}

    def _list(self, kind: Any) -> Schema:
        items = get_args(kind)
        if get_origin(kind) is tuple and items and Ellipsis not in items:
            prefix = [self._type(item) for item in items]
            return {"type": "array", "prefixItems": prefix, "items": False, "minItems": len(prefix)}
        return {"type": "array", "items": self._type(item_type(kind, 0))}

    def _section(self, config: type[Any]) -> Schema:
        name = f"section.{config.__module__}.{config.__qualname__}"
        return self._defined(name, lambda: _or_null(self.config(config), config))

    def _slot(self, slot: Slot) -> Schema:
        return self._defined(f"slot.{'.'.join(slot.kinds)}", lambda: self._slot_body(slot))

    def _slot_body(self, slot: Slot) -> Schema:
        by_spelling: dict[str, Schema] = {}
        alone: list[str] = []  # what may be written without fields
        old: list[str] = []  # and of that, what is better not
        for one in self._registry.components:
            config = _config(one)
            if config is None or not set(one.kinds) & set(slot.kinds):
                continue
            fields = self._component(one, config)
            for name in one.names:
                spellings = [spelling for spelling in _spellings(one, name) if self._means(spelling, one, slot)]
                is_old = name != one.name or bool(one.component.deprecated)
                by_spelling.update(dict.fromkeys(spellings, _former_name(fields, one, name) if is_old else fields))
                if not _required(config):
                    (old if is_old else alone).extend(spellings)
        return _one_of_names(by_spelling, alone, old)

    def _means(self, spelling: str, one: Registered, slot: Slot) -> bool:
        try:
            return self._registry.find(spelling, slot.kinds) == one
        except DiffeoError:
            return False

    def _component(self, one: Registered, config: type[Any]) -> Schema:
        def body() -> Schema:
            text = "; ".join(part for part in (one.component.summary, one.component.source) if part)
            return {"description": text, **_or_null(self.config(config), config)}

        return self._defined(f"component.{one.package}.{one.name}.{one.version}.{one.kinds[0]}", body)

    def _defined(self, name: str, write: Any) -> Schema:
        if name not in self.definitions:
            self.definitions[name] = {}  # stands in while it is being written: slots hold one another
            self.definitions[name] = write()
        return {"$ref": f"#/$defs/{name}"}


def _config(one: Registered) -> type[Any] | None:
    try:
        return one.load_config()
    except DiffeoError:
        return None


def _required(config: type[Any]) -> list[str]:
    return [key for key, field in config_fields(config).items() if field.default is attrs.NOTHING]


def _or_null(schema: Schema, config: type[Any]) -> Schema:
    """``actnorm:`` with nothing after it means the defaults."""
    return schema if _required(config) else {**schema, "type": ["object", "null"]}


def _spellings(one: Registered, name: str) -> list[str]:
    return [f"{package}{name}{version}" for package in ("", f"{one.package}/") for version in ("", f"@{one.version}")]


def _former_name(fields: Schema, one: Registered, name: str) -> Schema:
    text = f"Renamed; write '{one.name}'." if name != one.name else f"Deprecated: {one.component.deprecated}"
    return {**fields, "description": text, "deprecated": True}


def _formerly(schema: Schema, key: str) -> Schema:
    """The schema of a field under a former key."""
    kept = {word: value for word, value in schema.items() if word != "default"}
    return {**kept, "description": f"Renamed; write '{key}'.", "deprecated": True}


def _exactly_one(keys: Sequence[str]) -> Schema:
    return {"oneOf": [{"required": [key]} for key in keys]}


def _at_most_one(keys: Sequence[str]) -> Schema:
    return {"not": {"anyOf": [{"required": list(pair)} for pair in itertools.combinations(keys, 2)]}}


def _one_of_names(by_spelling: Mapping[str, Schema], alone: Sequence[str], old: Sequence[str]) -> Schema:
    """Bare names are offered for completion, the longer spellings are accepted."""
    bare = {name: schema for name, schema in by_spelling.items() if _is_bare(name)}
    longer = {f"^{re.escape(name)}$": schema for name, schema in by_spelling.items() if not _is_bare(name)}
    names: list[Schema] = [{"enum": [name for name in alone if _is_bare(name)]}, *_longer(alone)]
    if old:
        bare_old = [name for name in old if _is_bare(name)]
        of_old: list[Schema] = [*([{"enum": bare_old}] if bare_old else []), *_longer(old)]
        names.append({"anyOf": of_old, "deprecated": True})
    fields: Schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": bare,
        "patternProperties": longer,
        "additionalProperties": False,
    }
    return {"anyOf": [*names, fields]}


def _longer(names: Sequence[str]) -> list[Schema]:
    patterns = [re.escape(name) for name in names if not _is_bare(name)]
    return [{"type": "string", "pattern": f"^({'|'.join(patterns)})$"}] if patterns else []


def _is_bare(name: str) -> bool:
    return "/" not in name and "@" not in name


def _bounded(schema: Schema, bounds: Bounds) -> Schema:
    """A schema with bounds on its numbers: the items of a list, the members of a union."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_bounded(member, bounds) for member in schema["anyOf"]]}
    if schema.get("type") == "array":
        return {
            **schema,
            **{key: [_bounded(one, bounds) for one in schema[key]] for key in ("prefixItems",) if key in schema},
            "items": schema["items"] and _bounded(schema["items"], bounds),  # False: no more than the prefix
        }
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return {**schema, "additionalProperties": _bounded(schema["additionalProperties"], bounds)}
    if schema.get("type") == "null":
        return schema
    if bounds.choices is not None:
        return {**schema, "enum": list(bounds.choices)}
    limits = {word: getattr(bounds, name) for name, word in _BOUNDS.items() if getattr(bounds, name) is not None}
    return {**schema, **limits}
