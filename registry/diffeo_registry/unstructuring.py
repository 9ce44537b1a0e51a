"""Configs to plain data: what a resolved spec and the metadata of a checkpoint hold."""

import enum
import pathlib
from collections.abc import Mapping
from typing import Any

import attrs

from diffeo_registry.config_types import (
    arms,
    class_of,
    config_fields,
    default_of,
    is_config,
    is_list,
    is_mapping,
    item_type,
    slots_of,
    value_type,
)
from diffeo_registry.errors import DiffeoError
from diffeo_registry.fields import Slot
from diffeo_registry.registered import Registered
from diffeo_registry.registry import Registry
from diffeo_registry.structuring import structure_quietly

__all__ = ["plain_default", "unstructure"]


def unstructure(config: Any, *, registry: Registry, pinned: bool = True) -> Any:
    """Plain data from which ``structure`` makes an equal config, with every default written out.

    Every slot, at every depth, is a mapping of one name to its fields: ``diffeo-bijectors/coupling@1`` if ``pinned``,
    otherwise the shortest name that means the same component today. The config of a component becomes such a mapping
    too, that of any other class the mapping of its fields. Names and dicts left in the slots of a Python config are
    resolved first.
    """
    found = _registered(config, registry)
    walk = _Unstructurer(registry, pinned=pinned)
    if found is None:
        return walk.fields(structure_quietly(config, class_of(config), registry=registry)[0])
    slot = Slot(*found.kinds)
    return walk.component(structure_quietly(config, slot, registry=registry)[0], slot)


def plain_default(field: "attrs.Attribute[Any]", registry: Registry) -> Any:
    """The default of a field as one would write it in a spec; ``attrs.NOTHING`` where it has none."""
    default = default_of(field)
    if default is attrs.NOTHING:  # an enum member, which would be unstructured to its value
        return default
    return _Unstructurer(registry, pinned=False).value(default, field.type)


def _registered(config: Any, registry: Registry) -> Registered | None:
    if not is_config(config):
        raise DiffeoError(f"expected a config; got {config!r}")
    try:
        return registry.of(config)
    except DiffeoError:
        return None


class _Unstructurer:
    """Walks values along the types of their fields, which say where the slots are."""

    def __init__(self, registry: Registry, *, pinned: bool) -> None:
        self._registry = registry
        self._pinned = pinned

    def component(self, config: Any, slot: Slot) -> dict[str, Any]:
        found = self._registry.of(config)
        name = found.qualified if self._pinned else self._shortest_name(found, slot)
        return {name: self.fields(config)}

    def fields(self, config: Any) -> dict[str, Any]:
        fields = config_fields(class_of(config))
        return {key: self.value(getattr(config, field.name), field.type) for key, field in fields.items()}

    def value(self, value: Any, kind: Any) -> Any:
        members = arms(kind)
        if is_config(value):
            slots = slots_of(kind)
            return self.component(value, slots[0]) if slots else self.fields(value)
        if isinstance(value, list | tuple):
            of_list: Any = next(filter(is_list, members), tuple)
            return [self.value(item, item_type(of_list, index)) for index, item in enumerate(value)]  # pyright: ignore
        if isinstance(value, Mapping):
            of_values = value_type(next(filter(is_mapping, members), dict))
            return {key: self.value(item, of_values) for key, item in value.items()}  # pyright: ignore
        if isinstance(value, enum.Enum):
            return value.value
        return str(value) if isinstance(value, pathlib.PurePath) else value

    def _shortest_name(self, found: Registered, slot: Slot) -> str:
        for name in (found.name, f"{found.name}@{found.version}"):
            try:
                if self._registry.find(name, slot.kinds) == found:
                    return name
            except DiffeoError:
                continue
        return found.qualified
