"""Looking into config classes: their fields, the slots in a type, and types in words."""

import enum
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import attrs

from diffeo_registry.errors import PluginError
from diffeo_registry.fields import FORMER, Slot
from diffeo_registry.wording import listed, show

__all__ = [
    "arms",
    "class_of",
    "config_fields",
    "default_of",
    "field_values",
    "former_keys",
    "has_slots",
    "is_config",
    "is_list",
    "is_mapping",
    "is_subclass",
    "item_type",
    "slot_of",
    "slots_of",
    "type_text",
    "value_type",
]

_Factory: Any = attrs.Factory

_SEQUENCES = (tuple, list, Sequence)
_MAPPINGS = (dict, Mapping)
_WORDS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null", Any: "anything"}


def config_fields(config: type[Any]) -> "dict[str, attrs.Attribute[Any]]":
    """The fields one may give, by their key; annotations that are strings are resolved."""
    try:
        attrs.resolve_types(config)
    except NameError as error:
        name = f"{config.__module__}.{config.__qualname__}"
        raise PluginError(f"an annotation of config {name} cannot be resolved: {error}") from error
    return {field.alias or field.name: field for field in attrs.fields(config) if field.init}


def former_keys(config: type[Any]) -> dict[str, str]:
    """The keys that fields of a config had before they were renamed, and the key each of them has now."""
    fields = config_fields(config)
    former: dict[str, str] = {}
    for key, field in fields.items():
        for old in field.metadata.get(FORMER, ()):
            if old in fields or old in former:
                taken = f"field {old!r}" if old in fields else f"the former key of field {former[old]!r}"
                name = f"{config.__module__}.{config.__qualname__}"
                raise PluginError(f"config {name} gives field {key!r} the former key {old!r}, which is {taken}")
            former[old] = key
    return former


def field_values(config: Any) -> dict[str, Any]:
    """The values of a config's fields, by their key."""
    return {key: getattr(config, field.name) for key, field in config_fields(class_of(config)).items()}


def class_of(value: Any) -> type[Any]:
    """The class of a value."""
    return cast("type[Any]", type(value))


def is_config(value: Any) -> bool:
    """Whether a value is an attrs object."""
    return attrs.has(class_of(value))


def is_subclass(kind: Any, base: type) -> bool:
    """Whether a type is a class derived from ``base``."""
    return isinstance(kind, type) and issubclass(kind, base)


def default_of(field: "attrs.Attribute[Any]") -> Any:
    """The default of a field; ``attrs.NOTHING`` if it is required, or if only the finished config can tell."""
    default: Any = field.default
    if not isinstance(default, _Factory):
        return default
    return attrs.NOTHING if default.takes_self else default.factory()


def slots_of(kind: Any) -> list[Slot]:
    """The slots among the members of a type: none, or nearly always one."""
    return [slot for slot in map(slot_of, arms(kind)) if slot is not None]


def slot_of(kind: Any) -> Slot | None:
    """The ``Slot`` of ``Annotated[Any, Slot(...)]``; None for any other type."""
    if get_origin(kind) is not Annotated:
        return None
    return next((mark for mark in get_args(kind)[1:] if isinstance(mark, Slot)), None)


def arms(kind: Any) -> tuple[Any, ...]:
    """The members of a union; any other type is its own only arm."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def is_list(kind: Any) -> bool:
    """Whether a type is written as a list in YAML: a tuple, a list or a sequence."""
    return kind in _SEQUENCES or get_origin(kind) in _SEQUENCES


def is_mapping(kind: Any) -> bool:
    """Whether a type is a dict of values of one type."""
    return kind in _MAPPINGS or get_origin(kind) in _MAPPINGS


def item_type(kind: Any, index: int) -> Any:
    """The type of an item of a tuple, list or sequence type."""
    items = get_args(kind)
    if not items:
        return Any
    if get_origin(kind) is tuple and Ellipsis not in items:
        return items[index] if index < len(items) else Any
    return items[0]


def value_type(kind: Any) -> Any:
    """The type of a value of a mapping type."""
    return get_args(kind)[1] if get_args(kind) else Any


def has_slots(kind: Any) -> bool:
    """Whether values of a type can hold components: slots, or configs with fields of their own, at any depth."""
    if slot_of(kind) is not None or attrs.has(kind):
        return True
    return any(has_slots(inner) for inner in get_args(kind) if get_origin(kind) is not Literal)


def type_text(kind: Any) -> str:
    """A type in the words of the documentation: ``list of integers``, ``bijector or augmenter``, ``number or null``."""
    slot = slot_of(kind)
    if slot is not None:
        return listed(slot.kinds)
    if get_origin(kind) is Annotated:
        return type_text(get_args(kind)[0])
    if kind in _WORDS:
        return _WORDS[kind]
    if len(arms(kind)) > 1:
        return listed([type_text(arm) for arm in arms(kind)])
    if is_mapping(kind):
        return f"mapping of names to {_plural(value_type(kind))}"
    if is_list(kind):
        return _list_text(kind)
    return _class_text(kind)


def _class_text(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return listed([show(choice) for choice in get_args(kind)])
    if is_subclass(kind, enum.Enum):
        return listed([show(member.value) for member in kind])
    if is_subclass(kind, pathlib.PurePath):
        return "path"
    if attrs.has(kind):
        return f"fields of {kind.__name__}"
    return getattr(kind, "__name__", str(kind))


def _list_text(kind: Any) -> str:
    items = get_args(kind)
    if get_origin(kind) is tuple and items and Ellipsis not in items:
        return f"list of {len(items)}: {listed([type_text(item) for item in items], 'and')}"
    return f"list of {_plural(item_type(kind, 0))}"


def _plural(kind: Any) -> str:
    slot = slot_of(kind)
    if slot is not None:
        return listed([f"{name}s" for name in slot.kinds])
    text = type_text(kind)
    return f"{text}s" if text in ("integer", "number", "string", "boolean", "path") else text
