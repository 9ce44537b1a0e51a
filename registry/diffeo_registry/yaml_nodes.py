"""YAML text to a tree of nodes that know where they stand: ruamel.yaml's parser events, checked and put together.

The tree is built from events rather than with ``compose``, so that text nested too deeply ends in a message.
"""

from collections.abc import Iterator
from typing import Any

import attrs
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from diffeo_registry.errors import Path, Problem
from diffeo_registry.wording import did_you_mean, one_line, show
from diffeo_registry.yaml_scalars import CORE_TAGS, resolve, resolve_tagged

__all__ = ["MAX_DEPTH", "Node", "Position", "Reader"]

MAX_DEPTH = 100
"""Levels of lists and mappings. Real specs stay below 30; Python's own limit comes at about four times this."""


@attrs.frozen
class Position:
    """Line and column of a character, both from 1."""

    line: int
    column: int


@attrs.frozen(eq=False)
class Node:
    """A value and its position: a scalar, a list of nodes, or nodes by key with the position of the key."""

    position: Position
    content: Any

    @property
    def items(self) -> "list[Node] | None":
        return self.content if _is(self.content, list) else None

    @property
    def entries(self) -> "dict[str, tuple[Position, Node]] | None":
        return self.content if _is(self.content, dict) else None


@attrs.frozen
class _Stop(Exception):  # noqa: N818
    """Reading cannot go on; the problem is written down."""


class Reader:
    """Reads one text; ``problems`` holds what was wrong with it."""

    def __init__(self, source: str) -> None:
        self.problems: list[Problem] = []
        self.num_nodes = 0
        self._source = source
        self._anchors: dict[str, Node | None] = {}  # None while the node is being read

    def read(self, text: str) -> Node | None:
        """The root node; None for a text without a value, or where reading had to stop."""
        events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)  # pyright: ignore[reportUnknownMemberType]
        root: Node | None = None
        try:
            for event in events:
                if not _is(event, DocumentStartEvent):
                    continue
                if root is not None:
                    self._stop((), event, "expected one document; got a second one")
                root = self._node(next(events), events, ())
        except _Stop:
            return None
        except YAMLError as error:
            self._add_syntax_error(error, text)
        return None if self.problems else root

    def problem(self, path: Path, position: Position, message: str, *, on_key: bool = False) -> None:
        """Write down a problem."""
        where = f"{self._source}:{position.line}:{position.column}"
        self.problems.append(Problem(path=path, message=message, on_key=on_key, where=where))

    def _stop(self, path: Path, event: Any, message: str) -> None:
        self.problem(path, _position(event), message)
        raise _Stop

    def _add_syntax_error(self, error: Any, text: str) -> None:
        position = Position(1, 1)
        message = one_line(str(error))
        if _is(error, MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            position = Position(mark.line + 1, mark.column + 1)
            message = str(error.problem or error.context)
        elif _is(error, ReaderError):
            before = text[: error.position]
            position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
            message = f"unacceptable character {chr(error.character)!r}"
        hint = " (indent with blanks)" if "\\t" in message else ""
        self.problem((), position, f"not YAML: {message}{hint}")

    def _node(self, event: Any, events: Iterator[Any], path: Path) -> Node:
        if _is(event, AliasEvent):
            return self._alias(event, path)
        if len(path) > MAX_DEPTH:
            self._stop(path[:3], event, f"expected at most {MAX_DEPTH} levels; got more")
        self.num_nodes += 1
        anchor: Any = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        node = Node(_position(event), self._content(event, events, path))
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: Any, path: Path) -> Node:
        anchor: str = event.anchor
        node = self._anchors.get(anchor)
        if node is not None:
            return node
        if anchor in self._anchors:
            self.problem(path, _position(event), f"alias *{anchor} stands inside what it refers to")
        else:
            hint = did_you_mean(anchor, self._anchors)
            self.problem(path, _position(event), f"alias *{anchor} has no anchor &{anchor} before it{hint}")
        return Node(_position(event), None)

    def _content(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        tag = None if event.tag is None else str(event.tag)
        name = "" if tag is None else CORE_TAGS.get(tag, "")
        if tag not in (None, "!") and not name:
            self.problem(path, _position(event), f"expected plain YAML; got tag {tag!r}")
        if _is(event, ScalarEvent):
            return self._scalar(event, name, path)
        if _is(event, SequenceStartEvent):
            return self._items(events, path)
        assert _is(event, MappingStartEvent), event
        return self._entries(events, path)

    def _scalar(self, event: Any, tag: str, path: Path) -> Any:
        text: str = event.value
        try:
            if tag:
                return resolve_tagged(text, tag)
            return resolve(text) if event.implicit[0] and event.tag is None else text
        except ValueError as error:  # not a value of its tag
            self.problem(path, _position(event), one_line(str(error)))
            return None

    def _items(self, events: Iterator[Any], path: Path) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if _is(event, SequenceEndEvent):
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _entries(self, events: Iterator[Any], path: Path) -> dict[str, tuple[Position, Node]]:
        entries: dict[str, tuple[Position, Node]] = {}
        for event in events:
            if _is(event, MappingEndEvent):
                break
            position = _position(event)
            key = self._key(event, events, path)
            value_event = next(events)
            value = self._node(value_event, events, (*path, key))
            if _is_empty(value_event):
                value = attrs.evolve(value, position=position)
            if key in entries:
                first = entries[key][0]
                self.problem((*path, key), position, f"duplicate key; the first is in line {first.line}", on_key=True)
            else:
                entries[key] = (position, value)
        return entries

    def _key(self, event: Any, events: Iterator[Any], path: Path) -> str:
        position = _position(event)
        is_merge = _is(event, ScalarEvent) and bool(event.implicit[0]) and event.value == "<<"
        key = self._node(event, events, path).content
        if is_merge:
            message = "merge keys are not part of YAML 1.2; write the fields out, or use an alias for a whole value"
            self.problem((*path, "<<"), position, message, on_key=True)
        elif not isinstance(key, str):
            shown = "a list or mapping" if isinstance(key, list | dict) else show(key)
            self.problem(path, position, f"expected a string as key; got {shown}", on_key=True)
        return str(key) if isinstance(key, str | int | float | None) else "?"


def _is(value: Any, kind: type) -> bool:
    """``isinstance`` without what it tells the type checker: the attributes of ruamel.yaml's classes have no types."""
    return isinstance(value, kind)


def _position(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _is_empty(event: Any) -> bool:
    """Whether nothing is written for a value; its own mark is then somewhere after the blanks and comments that follow."""
    return _is(event, ScalarEvent) and bool(event.implicit[0]) and event.value == "" and event.anchor is None
