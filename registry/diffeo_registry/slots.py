"""What stands in a slot: a name, a mapping of one name to its fields, or a config object."""

from collections.abc import Mapping
from typing import Any

import attrs

from diffeo_registry.config_types import field_values, is_config
from diffeo_registry.errors import DiffeoError
from diffeo_registry.fields import Slot
from diffeo_registry.problems import refusal
from diffeo_registry.registered import Registered
from diffeo_registry.registry import Registry
from diffeo_registry.wording import listed, show, with_article

__all__ = ["Filling", "fits", "read_slot"]


@attrs.frozen
class Filling:
    """The component in a slot, the name it was called by, and what was given for its fields."""

    name: str
    found: Registered
    fields: Any


def read_slot(value: Any, slot: Slot, registry: Registry) -> Filling:
    """The component a value means in a slot; ``DiffeoError`` if it means none."""
    if isinstance(value, str):
        return Filling(value, registry.find(value, slot.kinds), None)
    if isinstance(value, Mapping):
        name, fields = _only_item(value, slot, registry)  # pyright: ignore[reportUnknownArgumentType]
        return Filling(name, registry.find(name, slot.kinds), fields)
    if isinstance(value, type) and attrs.has(value):
        raise refusal(f"expected a config object; got the class {value.__name__} (write {value.__name__}(...))")
    if is_config(value):
        found = _of_config(value, slot, registry)
        return Filling(found.name, found, field_values(value))
    raise refusal(f"expected {_wanted(slot)}, by name or as 'name: {{fields}}'; got {show(value)}")


def fits(name: str, slot: Slot, registry: Registry) -> bool:
    """Whether a name means a component in a slot."""
    try:
        registry.find(name, slot.kinds)
    except DiffeoError:
        return False
    return True


def _wanted(slot: Slot) -> str:
    return with_article(listed(slot.kinds))


def _only_item(value: Mapping[Any, Any], slot: Slot, registry: Registry) -> tuple[str, Any]:
    if len(value) == 1:
        ((name, fields),) = value.items()
        if isinstance(name, str):
            return name, fields
        raise refusal(f"expected the name of {_wanted(slot)}; got {show(name)}")
    if not value:
        raise refusal(f"expected one key, the name of {_wanted(slot)}; got an empty mapping")
    keys = listed([show(key) for key in value], "and")
    first = next(iter(value))
    hint = ""
    if isinstance(first, str) and fits(first, slot, registry):
        hint = f" (the fields of {first!r} are indented below it, or written as '{first}: {{key: value}}')"
    raise refusal(f"expected one key, the name of {_wanted(slot)}; got {len(value)} keys: {keys}{hint}")


def _of_config(config: Any, slot: Slot, registry: Registry) -> Registered:
    found = registry.of(config)
    if not set(found.kinds) & set(slot.kinds):
        kinds = listed([with_article(kind) for kind in found.kinds], "and")
        raise refusal(f"{found.name!r} is {kinds}; expected {_wanted(slot)}")
    return found
