"""JSON as strangers write it: whatever is wrong with a text is a ``ValueError``, a key that stands twice included."""

import json
from collections import Counter
from typing import Any

from diffeo_registry.wording import show

__all__ = ["parse_json"]


def parse_json(text: str | bytes) -> Any:
    """The data of a JSON text; bytes are UTF-8.

    Python's own parser keeps the last of two equal keys, while other readers may keep the first: a file could mean one
    thing here and another there.

    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: key 'a' stands twice
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode(), object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("nested without end") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"key {show(twice)} stands twice")
    return mapping
