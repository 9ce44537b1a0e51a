"""YAML text to plain data and the position of every key and value in it."""

from typing import Any

import attrs

from diffeo_registry.errors import Path, SpecError
from diffeo_registry.yaml_nodes import MAX_DEPTH, Node, Position, Reader

__all__ = ["Place", "YamlData", "read_yaml"]

MAX_REPEATED = 100_000
"""Values that aliases may add to those written in the file: far above any use, far below a "billion laughs" bomb."""


@attrs.frozen
class Place:
    """Where a value stands, and its key (the value itself for the items of a list)."""

    key: Position
    value: Position


@attrs.frozen
class YamlData:
    """What a text holds."""

    data: Any
    places: dict[Path, Place]


def read_yaml(text: str, name: str, *, empty_is_null: bool = False) -> YamlData:
    """Read one document of YAML 1.2; ``SpecError`` with everything wrong with its form, at ``name:line:column``."""
    reader = Reader(name)
    root = reader.read(text)
    if root is None or root.content is None:
        if not reader.problems and not empty_is_null:
            reader.problem((), Position(1, 1), "expected a mapping; got an empty document")
        if reader.problems:
            raise SpecError(reader.problems)
        return YamlData(None, {})
    expansion = _Expansion(limit=reader.num_nodes + MAX_REPEATED)
    try:
        data = expansion.expand(root, root.position, ())
    except _TooLarge as error:
        reader.problem((), root.position, f"expected a document of reasonable size; its aliases repeat {error}")
        raise SpecError(reader.problems) from error
    return YamlData(data, expansion.places)


class _TooLarge(Exception):  # noqa: N818
    pass


class _Expansion:
    """Copies what aliases refer to into their places; the copies keep the positions of the original."""

    def __init__(self, limit: int) -> None:
        self.places: dict[Path, Place] = {}
        self._limit = limit

    def expand(self, node: Node, key: Position, path: Path) -> Any:
        if len(path) > MAX_DEPTH:
            raise _TooLarge(f"more than {MAX_DEPTH} levels")
        if len(self.places) >= self._limit:
            raise _TooLarge(f"more than {MAX_REPEATED} values")
        self.places[path] = Place(key, node.position)
        if node.items is not None:
            return [self.expand(item, item.position, (*path, i)) for i, item in enumerate(node.items)]
        if node.entries is not None:
            return {name: self.expand(value, at, (*path, name)) for name, (at, value) in node.entries.items()}
        return node.content
