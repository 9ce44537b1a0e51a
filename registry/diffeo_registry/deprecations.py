"""Former names in data: what was renamed or is deprecated, with its place and what to write instead.

They are found by comparing data with the config that came of them, which tells what every part of the data was taken for.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, cast

import attrs

from diffeo_registry.config_types import (
    arms,
    class_of,
    config_fields,
    default_of,
    field_values,
    former_keys,
    is_config,
    is_list,
    is_mapping,
    item_type,
    slots_of,
    value_type,
)
from diffeo_registry.errors import DiffeoError, Path, Problem
from diffeo_registry.fields import Slot
from diffeo_registry.names import Name
from diffeo_registry.registered import Registered
from diffeo_registry.registry import Registry

__all__ = ["DeprecatedNameWarning", "deprecations", "name_notes", "warn_of"]


class DeprecatedNameWarning(FutureWarning):
    """A spec, or a saved model, uses a former name, or a component that is deprecated; the text says what to write."""


def deprecations(data: Any, config: Any, target: type[Any] | Slot, *, registry: Registry) -> list[Problem]:
    """The former names in ``data``, from which ``structure`` made ``config``.

    What is left at its default is not looked at: it isn't the user who wrote it.
    """
    comparison = _Comparison(registry)
    comparison.value(data, config, Annotated[Any, target] if isinstance(target, Slot) else target, ())
    return comparison.found


def name_notes(name: str, found: Registered, path: Path) -> list[Problem]:
    """What is to be said about calling a component by this name; nearly always nothing."""
    written = Name.parse(name)
    notes: list[Problem] = []
    if written.name != found.name:
        new = attrs.evolve(written, name=found.name)
        notes.append(Problem(path=path, message=f"{name!r} was renamed; write {str(new)!r}"))
    if found.component.deprecated:
        notes.append(Problem(path=path, message=f"{name!r} is deprecated: {found.component.deprecated}"))
    return notes


def warn_of(notes: Iterable[Problem], *, stacklevel: int) -> None:
    """Warn of each; ``stacklevel`` counts from the caller, as in ``warnings.warn``."""
    for note in notes:
        warnings.warn(DeprecatedNameWarning(str(note)), stacklevel=stacklevel + 1)


class _Comparison:
    """Walks data and the config made of them side by side, along the types that say where the slots are."""

    def __init__(self, registry: Registry) -> None:
        self.found: list[Problem] = []
        self._registry = registry

    def value(self, given: Any, result: Any, kind: Any, path: Path) -> None:
        if is_config(result):
            compare = self._component if slots_of(kind) else self._fields
            compare(given, result, path)
        elif isinstance(result, list | tuple) and isinstance(given, list | tuple):
            of_list: Any = next(filter(is_list, arms(kind)), tuple)
            pairs = zip(cast("list[Any]", given), cast("list[Any]", result), strict=False)
            for index, (item, made) in enumerate(pairs):
                self.value(item, made, item_type(of_list, index), (*path, index))
        elif isinstance(result, Mapping) and isinstance(given, Mapping):
            of_values = value_type(next(filter(is_mapping, arms(kind)), dict))
            items, made = cast("Mapping[str, Any]", given), cast("Mapping[str, Any]", result)
            for key in items.keys() & made.keys():
                self.value(items[key], made[key], of_values, (*path, key))

    def _component(self, given: Any, result: Any, path: Path) -> None:
        try:
            found = self._registry.of(result)
        except DiffeoError:  # two components with one config: which of them is meant does not matter here
            return
        name, fields = _written(given, found)
        self.found += name_notes(name, found, path)
        self._fields(fields, result, (*path, name))

    def _fields(self, given: Any, result: Any, path: Path) -> None:
        config = class_of(result)
        fields, former = config_fields(config), former_keys(config)
        for key, value in _given(given).items():
            if key in former:
                self.found.append(Problem(path=(*path, key), message=f"renamed; write {former[key]!r}", on_key=True))
            field = fields[former.get(key, key)]
            own_converter = cast(Any, field.converter)  # pyright: ignore[reportUnknownMemberType]
            if own_converter is None:  # otherwise the author says how values are taken
                self.value(value, getattr(result, field.name), field.type, (*path, key))


def _written(given: Any, found: Registered) -> tuple[str, Any]:
    """The name that a component was called by, and what was given for its fields."""
    if isinstance(given, str):
        return given, None
    if isinstance(given, Mapping):
        ((name, fields),) = cast("Mapping[str, Any]", given).items()
        return name, fields
    return found.name, given


def _given(fields: Any) -> Mapping[str, Any]:
    """What the user gave for the fields of a config; those of a config object that differ from their defaults."""
    if isinstance(fields, Mapping):
        return cast("Mapping[str, Any]", fields)
    if not is_config(fields):
        return {}
    defaults = {key: default_of(field) for key, field in config_fields(class_of(fields)).items()}
    return {key: value for key, value in field_values(fields).items() if value is not defaults[key]}
