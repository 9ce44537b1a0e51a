"""``--set trainer.optimizer.adam.lr=3e-4``: changes to a spec, each written as a path and a YAML value."""

import re
from collections.abc import Collection, Iterable
from typing import Annotated, Any

import attrs

from diffeo_registry.config_types import (
    arms,
    config_fields,
    former_keys,
    is_list,
    is_mapping,
    item_type,
    slots_of,
    value_type,
)
from diffeo_registry.deprecations import name_notes, warn_of
from diffeo_registry.errors import DiffeoError, Path, Problem, SpecError, format_path
from diffeo_registry.fields import Slot
from diffeo_registry.names import Name
from diffeo_registry.problems import refusal
from diffeo_registry.registered import Registered
from diffeo_registry.registry import Registry
from diffeo_registry.wording import listed, show
from diffeo_registry.yaml_data import read_yaml

__all__ = ["Change", "Override", "apply_overrides", "parse_override"]

_PATH = re.compile(r"[^.\[\]\s]+(\[[0-9]+\]|\.[^.\[\]\s]+)*")
_PART = re.compile(r"[^.\[\]]+")
_MISSING: Any = object()

Change = tuple[Path, str]
"""A place that was written to, and the option that did it."""


@attrs.frozen
class Override:
    """One change: where (an index is still text), the new value, and how it was written."""

    parts: tuple[str, ...]
    value: Any
    text: str

    @property
    def option(self) -> str:
        return f"--set {self.text}"

    @property
    def value_text(self) -> str:
        return self.text.partition("=")[2]


def parse_override(text: str) -> Override:
    """Read ``a.b.0.c=VALUE`` or ``a.b[0].c=VALUE``; the value is YAML, nothing is null.

    >>> override = parse_override("flow.steps[1].coupling.network={mlp: {hidden: [64]}}")
    >>> override.parts, override.value
    (('flow', 'steps', '1', 'coupling', 'network'), {'mlp': {'hidden': [64]}})
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not _PATH.fullmatch(path):
        message = "expected KEY=VALUE with a key such as trainer.steps or model.flow.steps[0].coupling"
        raise SpecError([Problem(path=(), message=message, where=f"--set {text}")])
    parts, option = tuple(_PART.findall(path)), f"--set {text}"
    try:
        return Override(parts, read_yaml(value, option, empty_is_null=True).data, text)
    except SpecError as error:
        raise SpecError(
            attrs.evolve(problem, path=(*parts, *problem.path), where=option) for problem in error.problems
        ) from None


def apply_overrides(
    data: Any, texts: Iterable[str], target: type[Any] | Slot, *, registry: Registry
) -> tuple[Any, list[Change]]:
    """The data with these changes, in their order, and the places they wrote to; ``SpecError`` with all that is wrong.

    ``target`` is what the data are to be structured to: it says where the slots are, in which a bare name on the way
    becomes a mapping and naming another component than the one there is an error. A former name on the way is warned of;
    of one that is written to the data, ``structure`` warns.
    """
    problems: list[Problem] = []
    changes: list[Change] = []
    notes: list[Problem] = []
    for text in texts:
        try:
            override = parse_override(text)
            writer = _Writer(override, registry)
            data = writer.apply(data, target)
            changes.append((writer.changed, override.option))
            notes += [attrs.evolve(note, where=override.option) for note in writer.notes]
        except DiffeoError as error:
            of_text = error.problems if isinstance(error, SpecError) else refusal(str(error)).problems
            problems += [attrs.evolve(problem, where=f"--set {text}") for problem in of_text]
    if problems:
        raise SpecError(problems)
    warn_of(notes, stacklevel=3)
    return data, changes


class _Writer:
    """One override being applied; ``changed`` is the outermost place that it wrote, ``notes`` tell of former names."""

    def __init__(self, override: Override, registry: Registry) -> None:
        self.changed: Path = ()
        self.notes: list[Problem] = []
        self._override = override
        self._registry = registry

    def apply(self, data: Any, target: type[Any] | Slot) -> Any:
        kind: Any = Annotated[Any, target] if isinstance(target, Slot) else target
        return self._set(data, kind, self._override.parts, ())

    def _set(self, current: Any, kind: Any, parts: tuple[str, ...], done: Path) -> Any:
        if current is _MISSING and not self.changed:
            self.changed = done
        if not parts:
            self.changed = self.changed or done
            return self._override.value
        if isinstance(current, list):
            return self._set_item(current, kind, parts, done)  # pyright: ignore[reportUnknownArgumentType]
        slot = next(iter(slots_of(kind)), None)
        if slot is not None or (kind is None and isinstance(current, str)):
            return self._set_in_slot(current, slot, parts, done)
        if current is not _MISSING and current is not None and not isinstance(current, dict):
            raise self._problem(done, f"expected a mapping, to set {parts[0]!r} in it; got {show(current)}")
        if any(is_list(arm) for arm in arms(kind)):
            whole = f"--set {format_path(done)}='[...]'"
            raise self._problem(done, f"there is no list yet to set item {parts[0]} of; give all of it: {whole}")
        return self._set_field(current, kind, parts, done)

    def _set_field(self, current: Any, kind: Any, parts: tuple[str, ...], done: Path) -> dict[str, Any]:
        """Set a key that a field may have, or have had: what is there by another key of that field is meant."""
        fields: dict[str, Any] = dict(current) if isinstance(current, dict) else {}  # pyright: ignore
        key, *rest = parts
        new, keys = _keys_of_field(kind, key)
        there = next((name for name in (key, *keys) if name in fields), None)
        if there is not None and rest:
            if key != new:
                self.notes.append(Problem(path=(*done, key), message=f"renamed; write {new!r}"))
            return self._set_key(fields, _child(kind, key), (there, *rest), done)
        if there is not None and there != key:
            del fields[there]
        return self._set_key(fields, _child(kind, key), parts, done)

    def _set_key(self, current: Any, kind: Any, parts: tuple[str, ...], done: Path) -> dict[str, Any]:
        fields: dict[str, Any] = dict(current) if isinstance(current, dict) else {}  # pyright: ignore
        key = parts[0]
        return {**fields, key: self._set(fields.get(key, _MISSING), kind, parts[1:], (*done, key))}

    def _set_item(self, current: list[Any], kind: Any, parts: tuple[str, ...], done: Path) -> list[Any]:
        last = len(current) - 1
        if not parts[0].isdecimal():
            raise self._problem(done, f"expected the index of an item, 0 to {last}; got {parts[0]!r}")
        index = int(parts[0])
        if index > last:
            raise self._problem(done, f"expected the index of an item, 0 to {last}; got {index}")
        of_list = next((arm for arm in arms(kind) if is_list(arm)), None)
        of_item = None if of_list is None else item_type(of_list, index)
        items = list(current)
        items[index] = self._set(items[index], of_item, parts[1:], (*done, index))
        return items

    def _set_in_slot(self, current: Any, slot: Slot | None, parts: tuple[str, ...], done: Path) -> Any:
        name, fields = _filling(current)
        if name is None:
            self._require_name(parts, slot, done)
            return self._set_key(current, _config(self._find(parts[0], slot)), parts, done)
        found = self._find(name, slot)
        config = _config(found)
        if not _same(parts[0], name, () if found is None else found.names):
            raise self._problem(done, self._instead(name, config, parts, done))
        if found is not None and Name.parse(parts[0]).name != found.name:
            self.notes += name_notes(parts[0], found, done)[:1]
        return {name: self._set(fields, config, parts[1:], (*done, name))}

    def _require_name(self, parts: tuple[str, ...], slot: Slot | None, done: Path) -> None:
        """Raise where a field stands in the place of a component that is left to its default, and so isn't in the file."""
        if slot is None or self._find(parts[0], slot) is not None:
            return
        fitting = [one for one in self._registry.components if set(one.kinds) & set(slot.kinds)]
        names = sorted({one.name for one in fitting if _has_field(_config(one), parts[0])})
        if names:
            known, name = ("", names[0]) if len(names) == 1 else (" with the one that is meant for NAME", "NAME")
            option = f"--set {format_path((*done, name, *parts))}={self._override.value_text}"
            of = listed(map(repr, names))
            raise self._problem(done, f"{parts[0]!r} is a field of {of}; write {option}{known}")

    def _find(self, name: str, slot: Slot | None) -> Registered | None:
        try:
            return None if slot is None else self._registry.find(name, slot.kinds)
        except DiffeoError:
            return None  # structuring says what is wrong with it

    def _instead(self, name: str, config: Any, parts: tuple[str, ...], done: Path) -> str:
        if config is not None and parts[0] in config_fields(config):
            path = format_path((*done, name, *parts))
            return f"{parts[0]!r} is a field of {name!r}; write --set {path}={self._override.value_text}"
        value = self._override.value_text
        for part in reversed(parts):
            value = f"{{{part}: {value}}}" if value else part
        return f"this is {name!r}; to replace it: --set {format_path(done)}='{value}'"

    def _problem(self, path: Path, message: str) -> SpecError:
        return SpecError([Problem(path=path, message=message)])


def _config(found: Registered | None) -> Any:
    try:
        return None if found is None else found.load_config()
    except DiffeoError:  # here too
        return None


def _has_field(config: Any, key: str) -> bool:
    try:
        return config is not None and key in config_fields(config)
    except DiffeoError:  # and here
        return False


def _child(kind: Any, key: str) -> Any:
    """The type of what stands under a key of a value of type ``kind``; None if there is no telling."""
    for arm in arms(kind):
        if attrs.has(arm):
            field = config_fields(arm).get(former_keys(arm).get(key, key))
            return None if field is None else field.type
        if is_mapping(arm):
            return value_type(arm)
    return None


def _keys_of_field(kind: Any, key: str) -> tuple[str, list[str]]:
    """The key that a field has today, and all the keys by which it may be written."""
    for arm in arms(kind):
        if attrs.has(arm):
            former = former_keys(arm)
            new = former.get(key, key)
            return new, [new, *(old for old in former if former[old] == new)]
    return key, [key]


def _filling(current: Any) -> tuple[str | None, Any]:
    """The name in a slot and its fields; None where it is empty, or not what a slot holds."""
    if isinstance(current, str):
        return current, _MISSING
    if isinstance(current, dict) and len(current) == 1:  # pyright: ignore[reportUnknownArgumentType]
        ((name, fields),) = current.items()  # pyright: ignore[reportUnknownVariableType]
        return (name, fields) if isinstance(name, str) else (None, None)  # pyright: ignore[reportUnknownVariableType]
    return None, None


def _same(part: str, name: str, names: Collection[str]) -> bool:
    """Whether a part of a path means the component that is there, which has, or had, these ``names``.

    It may leave out package and version.
    """
    try:
        wanted, there = Name.parse(part), Name.parse(name)
    except DiffeoError:
        return part == name
    if wanted.name in names:
        wanted = attrs.evolve(wanted, name=there.name)
    return wanted in (there, attrs.evolve(there, package=None), attrs.evolve(there, version=None), Name(there.name))
