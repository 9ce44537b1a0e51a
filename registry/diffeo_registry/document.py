"""A YAML document as plain data that remembers where every key and value stands."""

import pathlib
from collections.abc import Mapping
from typing import Any

import attrs

from diffeo_registry.errors import DiffeoError, Path, Problem, SpecError
from diffeo_registry.yaml_nodes import MAX_DEPTH, Node, Position, Reader

__all__ = ["Document", "parse_yaml", "read_yaml"]

MAX_REPEATED = 100_000
"""Values that aliases may add to those written in the file: far above any use, far below a "billion laughs" bomb."""


@attrs.frozen
class _Place:
    key: Position
    value: Position


@attrs.frozen(kw_only=True)
class Document:
    """Plain data, where it came from, and which parts of it ``--set`` has changed."""

    data: Any
    source: str
    places: Mapping[Path, _Place] = attrs.field(factory=dict[Path, _Place], repr=False)
    overrides: tuple[tuple[Path, str], ...] = ()
    """The places that overrides wrote to, with the text of each: ``--set trainer.steps=x``."""

    def where(self, path: Path, *, on_key: bool = False) -> str:
        """``"spec.yaml:24:3"`` for the value at a path (or its key), or for the innermost thing around it that is there."""
        for changed, text in reversed(self.overrides):
            if path[: len(changed)] == changed:
                return text
        for length in range(len(path), -1, -1):
            place = self.places.get(path[:length])
            if place is not None:
                position = place.key if on_key and length == len(path) else place.value
                return f"{self.source}:{position.line}:{position.column}"
        return self.source

    def locate(self, problem: Problem) -> Problem:
        """The problem with its place in the file; one that has a place keeps it."""
        return (
            problem if problem.where else attrs.evolve(problem, where=self.where(problem.path, on_key=problem.on_key))
        )

    def located(self, error: SpecError) -> SpecError:
        """The same problems, each with its place in the file."""
        return SpecError(map(self.locate, error.problems))


def read_yaml(file: str | pathlib.Path) -> Document:
    """Read a YAML file; ``SpecError`` if it cannot be read or isn't one plain document."""
    try:
        text = pathlib.Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DiffeoError(f"{file}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise DiffeoError(f"{file}: expected text in UTF-8; got byte 0x{error.object[error.start]:02x}") from error
    return parse_yaml(text, source=str(file))


def parse_yaml(text: str, *, source: str = "<text>", empty_is_null: bool = False) -> Document:
    """Parse YAML 1.2 text; ``SpecError`` with every problem of its form: syntax, duplicate keys, tags, aliases.

    >>> parse_yaml("trainer: {steps: 1e3, optimizer: adam}").data
    {'trainer': {'steps': 1000.0, 'optimizer': 'adam'}}
    """
    reader = Reader(source)
    root = reader.read(text)
    if root is None or root.content is None:
        if not reader.problems and not empty_is_null:
            reader.problem((), Position(1, 1), "expected a mapping; got an empty document")
        if reader.problems:
            raise SpecError(reader.problems)
        return Document(data=None, source=source)
    expansion = _Expansion(limit=reader.num_nodes + MAX_REPEATED)
    try:
        data = expansion.expand(root, root.position, ())
    except _TooLarge as error:
        reader.problem((), root.position, f"expected a document of reasonable size; its aliases repeat {error}")
        raise SpecError(reader.problems) from error
    return Document(data=data, source=source, places=expansion.places)


class _TooLarge(Exception):  # noqa: N818
    pass


class _Expansion:
    """Copies what aliases refer to into their places; the copies keep the positions of the original."""

    def __init__(self, limit: int) -> None:
        self.places: dict[Path, _Place] = {}
        self._limit = limit

    def expand(self, node: Node, key: Position, path: Path) -> Any:
        if len(path) > MAX_DEPTH:
            raise _TooLarge(f"more than {MAX_DEPTH} levels")
        if len(self.places) >= self._limit:
            raise _TooLarge(f"more than {MAX_REPEATED} values")
        self.places[path] = _Place(key, node.position)
        if node.items is not None:
            return [self.expand(item, item.position, (*path, i)) for i, item in enumerate(node.items)]
        if node.entries is not None:
            return {name: self.expand(value, at, (*path, name)) for name, (at, value) in node.entries.items()}
        return node.content
