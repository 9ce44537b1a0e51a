"""Just enough of JSON Schema to see that a schema of ours accepts a spec: the keywords that ``json_schema`` writes.

The package jsonschema knows all of them, and is a tool of developers, not a dependency.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["problem_of"]

Schema = Mapping[str, Any]

TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list, tuple),
}


def problem_of(value: Any, schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Why a value does not fit a schema, in a few words; empty where it does.

    >>> problem_of({"bins": 1}, {"type": "object", "properties": {"bins": {"type": "integer", "minimum": 2}}}, {})
    'bins: 1 is below 2'
    """
    if "$ref" in schema:
        return problem_of(value, definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    problems = [_type(value, schema), _enum(value, schema), _bounds(value, schema), _arms(value, schema, definitions)]
    if isinstance(value, dict):
        problems.append(_mapping(cast(dict[str, Any], value), schema, definitions))
    if isinstance(value, list | tuple):
        problems.append(_list(cast(list[Any], value), schema, definitions))
    return next(filter(None, problems), "")


def _type(value: Any, schema: Schema) -> str:
    names: Any = schema.get("type")
    names = [names] if isinstance(names, str) else names
    if names is None:
        return ""
    fits = any(isinstance(value, TYPES[name]) and not (isinstance(value, bool) and name != "boolean") for name in names)
    return "" if fits else f"{value!r} is not of type {' or '.join(names)}"


def _enum(value: Any, schema: Schema) -> str:
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not one of {schema['enum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        return f"{value!r} does not match {schema['pattern']}"
    return ""


def _bounds(value: Any, schema: Schema) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if "minimum" in schema and value < schema["minimum"]:
        return f"{value} is below {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        return f"{value} is above {schema['maximum']}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        return f"{value} is not above {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        return f"{value} is not below {schema['exclusiveMaximum']}"
    return ""


def _arms(value: Any, schema: Schema, definitions: Mapping[str, Schema]) -> str:
    if "anyOf" not in schema:
        return ""
    problems = [problem_of(value, arm, definitions) for arm in cast(Sequence[Schema], schema["anyOf"])]
    return "" if "" in problems else problems[-1]  # the last arm of a slot is the mapping with the fields


def _mapping(value: dict[str, Any], schema: Schema, definitions: Mapping[str, Schema]) -> str:
    missing = [key for key in schema.get("required", ()) if key not in value]
    if missing:
        return f"{missing[0]} is missing"
    for key, inner in value.items():
        found = _schema_of(key, schema)
        if found is False:
            return f"{key} is unknown"
        problem = problem_of(inner, found, definitions) if isinstance(found, Mapping) else ""
        if problem:
            return f"{key}: {problem}"
    return ""


def _schema_of(key: str, schema: Schema) -> Schema | bool:
    if key in schema.get("properties", {}):
        return schema["properties"][key]
    for pattern, found in schema.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return found
    return schema.get("additionalProperties", True)


def _list(value: Sequence[Any], schema: Schema, definitions: Mapping[str, Schema]) -> str:
    prefix: list[Any] = list(schema.get("prefixItems", ()))
    if len(value) < schema.get("minItems", 0):
        return f"{len(value)} items are too few"
    for number, item in enumerate(value):
        found = prefix[number] if number < len(prefix) else schema.get("items", True)
        if found is False:
            return f"item {number} is one too many"
        problem = problem_of(item, found, definitions) if isinstance(found, Mapping) else ""
        if problem:
            return f"[{number}]: {problem}"
    return ""
