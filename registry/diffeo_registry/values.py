"""cattrs hooks for the values of fields: numbers, strings, choices, lists, mappings, unions. Nothing is coerced."""

import enum
import math
import pathlib
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin

from cattrs import Converter

from diffeo_registry.config_types import (
    arms,
    is_list,
    is_mapping,
    is_subclass,
    item_type,
    slot_of,
    type_text,
    value_type,
)
from diffeo_registry.errors import Problem, SpecError
from diffeo_registry.problems import collecting, refusal
from diffeo_registry.wording import listed, show, with_article

__all__ = ["register_value_hooks"]


def register_value_hooks(converter: Converter) -> None:
    """Teach a converter the types a config may use."""

    def structure_list(value: Any, kind: Any) -> Any:
        return _structure_list(value, kind, converter)

    def structure_mapping(value: Any, kind: Any) -> Any:
        return _structure_mapping(value, kind, converter)

    def structure_union(value: Any, kind: Any) -> Any:
        return _structure_union(value, kind, converter)

    converter.register_structure_hook_func(lambda kind: kind in (Any, object), lambda value, _: value)
    converter.register_structure_hook_func(lambda kind: kind is type(None), _structure_null)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook(str, _structure_str)
    converter.register_structure_hook(pathlib.Path, _structure_path)
    converter.register_structure_hook_func(lambda kind: is_subclass(kind, pathlib.PurePath), _structure_path)
    converter.register_structure_hook_func(lambda kind: get_origin(kind) is Literal, _structure_literal)
    converter.register_structure_hook_func(lambda kind: is_subclass(kind, enum.Enum), _structure_enum)
    converter.register_structure_hook_func(is_list, structure_list)
    converter.register_structure_hook_func(is_mapping, structure_mapping)
    converter.register_structure_hook_func(lambda kind: len(arms(kind)) > 1, structure_union)


def _structure_null(value: Any, _: Any) -> None:
    if value is not None:
        raise refusal(f"expected null; got {show(value)}")


def _structure_bool(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise refusal(f"expected true or false; got {show(value)}")
    return value


def _structure_int(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        hint = f" (write {int(value)})" if _is_whole(value) else ""
        raise refusal(f"expected an integer; got {show(value)}{hint}")
    return int(value)


def _is_whole(value: Any) -> bool:
    """Whether a float was surely meant as an integer, as ``1e3`` is."""
    return isinstance(value, float) and value.is_integer() and abs(value) < 2**53


def _structure_float(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise refusal(f"expected a number; got {show(value)}")
    try:
        number = float(value)
    except OverflowError as error:
        raise refusal(f"expected a number below 1.8e308; got {show(value)}") from error
    if math.isnan(number):
        raise refusal("expected a number; got nan")
    return number


def _structure_str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        hint = " (write it in quotes)" if isinstance(value, int | float) else ""
        raise refusal(f"expected a string; got {show(value)}{hint}")
    return value


def _structure_path(value: Any, kind: Any) -> Any:
    if not isinstance(value, str | pathlib.PurePath):
        raise refusal(f"expected a path; got {show(value)}")
    return kind(value)


def _structure_literal(value: Any, kind: Any) -> Any:
    for choice in get_args(kind):
        if type(value) is type(choice) and value == choice:
            return choice
    raise _not_a_choice(value, get_args(kind))


def _structure_enum(value: Any, kind: Any) -> Any:
    for member in kind:
        if value is member or (type(value) is type(member.value) and value == member.value):
            return member
    raise _not_a_choice(value, [member.value for member in kind])


def _not_a_choice(value: Any, choices: Sequence[Any]) -> SpecError:
    return refusal(f"expected {listed([show(choice) for choice in choices])}; got {show(value)}")


def _structure_list(value: Any, kind: Any, converter: Converter) -> Any:
    if not isinstance(value, list | tuple):
        raise refusal(f"expected a list; got {show(value)}")
    given: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
    items = get_args(kind)
    if get_origin(kind) is tuple and Ellipsis not in items and len(items) != len(given):
        raise refusal(f"expected a list of {len(items)}; got {len(given)}: {show(given)}")
    problems: list[Problem] = []
    structured: list[Any] = []
    for index, item in enumerate(given):
        with collecting(problems, index):
            structured.append(converter.structure(item, item_type(kind, index)))
    if problems:
        raise SpecError(problems)
    return structured if (get_origin(kind) or kind) is list else tuple(structured)


def _structure_mapping(value: Any, kind: Any, converter: Converter) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise refusal(f"expected a mapping; got {show(value)}")
    problems: list[Problem] = []
    structured: dict[str, Any] = {}
    for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
        with collecting(problems, str(key)):  # pyright: ignore[reportUnknownArgumentType]
            if not isinstance(key, str):
                raise refusal(f"expected a string as key; got {show(key)}")
            structured[key] = converter.structure(item, value_type(kind))
    if problems:
        raise SpecError(problems)
    return structured


def _structure_union(value: Any, kind: Any, converter: Converter) -> Any:
    members = arms(kind)
    if value is None and type(None) in members:
        return None
    members = [arm for arm in members if arm is not type(None)]
    if len(members) == 1:
        return converter.structure(value, members[0])
    best: SpecError | None = None
    for arm in members:
        try:
            return converter.structure(value, arm)
        except SpecError as error:
            if _is_meant(value, arm, error):
                best = best or error
    if best is not None:
        raise best
    raise refusal(f"expected {listed([with_article(type_text(arm)) for arm in members])}; got {show(value)}")


def _is_meant(value: Any, arm: Any, error: SpecError) -> bool:
    """Whether a value was evidently written for this member of a union, so that its problems are the ones to tell."""
    named = slot_of(arm) is not None and isinstance(value, str | Mapping)
    return named or any(problem.path for problem in error.problems)
