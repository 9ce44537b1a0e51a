"""Data to configs: every problem of a whole tree at once, each with its path.

Unknown keys are forbidden and nothing is coerced silently (an integer is a number, and that is all).
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import attrs
from cattrs import Converter

from diffeo_registry.config_types import config_fields, default_of, field_values, has_slots, slot_of
from diffeo_registry.errors import DiffeoError, Path, Problem, SpecError
from diffeo_registry.fields import Slot
from diffeo_registry.problems import collecting, refusal
from diffeo_registry.registry import Registry
from diffeo_registry.slots import read_slot
from diffeo_registry.values import register_value_hooks
from diffeo_registry.wording import did_you_mean, one_line, show

__all__ = ["structure"]

_Convert: Any = attrs.Converter


def structure(data: Any, target: type[Any] | Slot, *, registry: Registry, path: Path = ()) -> Any:
    """The config that ``data`` describes: an instance of an attrs class, or of whatever component a slot names.

    ``data`` is plain data, or a config whose slots may hold names and dicts. Slots come back as configs, those left at
    their defaults too. Raises ``SpecError`` with every problem found; their paths begin with ``path``.
    """
    wanted: Any = Annotated[Any, target] if isinstance(target, Slot) else target
    problems: list[Problem] = []
    try:
        with collecting(problems, *path):
            return _converter(registry).structure(data, wanted)
    except RecursionError:
        problems.append(Problem(path=path, message="expected a tree; got data nested without end"))
    raise SpecError(problems)


def _converter(registry: Registry) -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    register_value_hooks(converter)

    def structure_slot(value: Any, kind: Any) -> Any:
        slot = slot_of(kind)
        assert slot is not None
        return _structure_slot(value, slot, registry, converter)

    def structure_config(value: Any, config: type[Any]) -> Any:
        return _structure_config(value, config, converter)

    converter.register_structure_hook_func(attrs.has, structure_config)
    converter.register_structure_hook_func(lambda kind: slot_of(kind) is not None, structure_slot)
    return converter


def _structure_slot(value: Any, slot: Slot, registry: Registry, converter: Converter) -> Any:
    filling = read_slot(value, slot, registry)
    problems: list[Problem] = []
    with collecting(problems, filling.name):
        return _structure_config(filling.fields, filling.found.load_config(), converter)
    raise SpecError(problems)


def _structure_config(value: Any, config: type[Any], converter: Converter) -> Any:
    given = _given_fields(value, config)
    fields = config_fields(config)
    problems = [
        Problem(path=(str(key),), message=f"unknown key{did_you_mean(str(key), fields)}", on_key=True)
        for key in given
        if key not in fields
    ]
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in given:
            with collecting(problems, key):
                values[key] = _structure_field(given[key], field, converter)
        elif field.default is attrs.NOTHING:
            problems.append(Problem(path=(key,), message="required, but missing"))
        elif has_slots(field.type) and default_of(field) is not attrs.NOTHING:
            with collecting(problems, key):
                values[key] = _structure_field(default_of(field), field, converter)
    problems += _validate(config, values, given)
    if problems:
        order = {key: place for place, key in enumerate(fields)}
        raise SpecError(sorted(problems, key=lambda problem: order.get(str(problem.path[0]), -1)))
    try:
        return config(**values)
    except Exception as error:  # what the fields must satisfy together
        raise refusal(_message(error)) from error


def _given_fields(value: Any, config: type[Any]) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if isinstance(value, config):
        return field_values(value)
    if not isinstance(value, Mapping):
        raise refusal(f"expected fields, as 'key: value'; got {show(value)}")
    return value  # pyright: ignore[reportUnknownVariableType]


def _structure_field(value: Any, field: "attrs.Attribute[Any]", converter: Converter) -> Any:
    if value is None and field.default is None:
        return None
    try:
        own_converter = cast(Any, field.converter)  # pyright: ignore[reportUnknownMemberType]
        if own_converter is not None:  # the author says how values are taken
            return _convert(value, own_converter)
        kind: Any = field.type
        return converter.structure(value, Any if kind is None else kind)
    except (DiffeoError, RecursionError):
        raise
    except Exception as error:  # a type of the author's own, through cattrs' general hooks
        raise refusal(_message(error)) from error


def _convert(value: Any, converter: Any) -> Any:
    if not isinstance(converter, _Convert):
        return converter(value)
    if converter.takes_self or converter.takes_field:
        return value  # it runs when the config is made
    return converter.converter(value)


def _validate(config: type[Any], values: Mapping[str, Any], given: Mapping[Any, Any]) -> list[Problem]:
    """Run the validators of the given fields one by one, where attrs would stop at the first that fails.

    They see an instance that holds the fields known so far; one that needs another waits until the config is made.
    """
    fields = config_fields(config)
    partial = object.__new__(config)
    for key, value in values.items():
        object.__setattr__(partial, fields[key].name, value)
    problems: list[Problem] = []
    for key, value in values.items():
        validator: Any = fields[key].validator
        if validator is None or key not in given:
            continue
        try:
            validator(partial, fields[key], value)
        except (ValueError, TypeError) as error:
            message = _message(error).removeprefix(f"{fields[key].name}: ")
            problems.append(Problem(path=(key,), message=message))
        except Exception:
            continue
    return problems


def _message(error: BaseException) -> str:
    """What an exception says: attrs' own validators put the sentence first and more arguments after it."""
    if isinstance(error, BaseExceptionGroup):
        inner = cast("tuple[BaseException, ...]", error.exceptions)  # pyright: ignore[reportUnknownMemberType]
        return "; ".join(_message(one) for one in inner)
    text = one_line(str(error.args[0] if error.args else error))
    return text if isinstance(error, ValueError | TypeError) and text else f"{type(error).__name__}: {text}"
