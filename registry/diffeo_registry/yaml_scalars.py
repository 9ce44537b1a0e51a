"""Plain scalars of YAML by the core schema of YAML 1.2.2 (section 10.3.2): ``no`` is a string, ``1e-3`` a float."""

import re

__all__ = ["CORE_TAGS", "Scalar", "resolve", "resolve_tagged"]

Scalar = None | bool | int | float | str

_PREFIX = "tag:yaml.org,2002:"
CORE_TAGS = {f"{_PREFIX}{name}": name for name in ("null", "bool", "int", "float", "str", "seq", "map")}

LONGEST = 100
"""Characters of a number; what is longer is a string. (Reading an integer takes time quadratic in its length.)"""

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)")
_NAN = re.compile(r"\.nan|\.NaN|\.NAN")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar without a tag.

    >>> [resolve(text) for text in ("1e-3", "0x1F", "no", "~", "-.inf", "1_000")]
    [0.001, 31, 'no', None, -inf, '1_000']
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    if len(text) > LONGEST:
        return None
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, base=0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF.fullmatch(text) or _NAN.fullmatch(text):
        return float(text.replace(".", "").lower())
    return None


def resolve_tagged(text: str, name: str) -> Scalar:
    """The value of a scalar with the core tag ``!!name``; ``ValueError`` if it has none."""
    if name == "str":
        return text
    value = resolve(text)
    if name == "float" and type(value) is int:
        return float(value)
    if {"null": type(None), "bool": bool, "int": int, "float": float}.get(name) is type(value):
        return value
    raise ValueError(f"expected a value of type {name}; got {text!r}")
