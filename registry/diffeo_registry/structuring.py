"""Data to configs: every problem of a whole tree at once, each with its path.

Unknown keys are forbidden and nothing is coerced silently (an integer is a number, and that is all).
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import attrs
from cattrs import Converter

from diffeo_registry.config_types import config_fields, default_of, field_values, former_keys, has_slots, slot_of
from diffeo_registry.deprecations import deprecations, warn_of
from diffeo_registry.errors import DiffeoError, Path, Problem, SpecError
from diffeo_registry.fields import Slot
from diffeo_registry.problems import below, collecting, refusal
from diffeo_registry.registry import Registry
from diffeo_registry.slots import read_slot
from diffeo_registry.values import register_value_hooks
from diffeo_registry.wording import did_you_mean, one_line, show

__all__ = ["structure", "structure_quietly"]

_Convert: Any = attrs.Converter


def structure(data: Any, target: type[Any] | Slot, *, registry: Registry, path: Path = ()) -> Any:
    """The config that ``data`` describes: an instance of an attrs class, or of whatever component a slot names.

    ``data`` is plain data, or a config whose slots may hold names and dicts. Slots come back as configs, those left at
    their defaults too. Raises ``SpecError`` with every problem found; their paths begin with ``path``. Former names are
    taken, with a ``DeprecatedNameWarning`` for each.
    """
    config, notes = structure_quietly(data, target, registry=registry, path=path)
    warn_of(notes, stacklevel=2)
    return config


def structure_quietly(
    data: Any, target: type[Any] | Slot, *, registry: Registry, path: Path = ()
) -> tuple[Any, list[Problem]]:
    """The same, and what would have been warned of."""
    wanted: Any = Annotated[Any, target] if isinstance(target, Slot) else target
    problems: list[Problem] = []
    try:
        with collecting(problems, *path):
            config = _converter(registry).structure(data, wanted)
            notes = deprecations(data, config, target, registry=registry)
            return config, [below(note, path) for note in notes]
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
    written, problems = _written_keys(given, config)
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in written:
            with collecting(problems, written[key]):
                values[key] = _structure_field(given[written[key]], field, converter)
        elif field.default is attrs.NOTHING:
            problems.append(Problem(path=(key,), message="required, but missing"))
        elif has_slots(field.type) and default_of(field) is not attrs.NOTHING:
            with collecting(problems, key):
                values[key] = _structure_field(default_of(field), field, converter)
    problems += _validate(config, values, written)
    if problems:
        order = {written.get(key, key): place for place, key in enumerate(fields)}
        raise SpecError(sorted(problems, key=lambda problem: order.get(str(problem.path[0]), -1)))
    try:
        return config(**values)
    except Exception as error:  # what the fields must satisfy together
        raise refusal(_message(error)) from error


def _written_keys(given: Mapping[Any, Any], config: type[Any]) -> tuple[dict[str, str], list[Problem]]:
    """By the key of each given field the key it was written by, a former one perhaps; and the keys that mean nothing."""
    fields, former = config_fields(config), former_keys(config)
    written: dict[str, str] = {key: key for key in given if key in fields}
    problems: list[Problem] = []
    for key in (key for key in given if key not in fields):
        message = f"unknown key{did_you_mean(str(key), fields)}"
        if key in former:
            new = former[key]
            if written.setdefault(new, key) == key:
                continue
            message = f"renamed to {new!r}, and {written[new]!r} is given too; give {new!r} alone"
        problems.append(Problem(path=(str(key),), message=message, on_key=True))
    return written, problems


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


def _validate(config: type[Any], values: Mapping[str, Any], written: Mapping[str, str]) -> list[Problem]:
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
        if validator is None or key not in written:
            continue
        try:
            validator(partial, fields[key], value)
        except (ValueError, TypeError) as error:
            message = _message(error).removeprefix(f"{fields[key].name}: ")
            problems.append(Problem(path=(written[key],), message=message))
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
