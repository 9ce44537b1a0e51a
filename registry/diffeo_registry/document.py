"""A YAML document as plain data that remembers where every key and value stands."""

import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from diffeo_registry.deprecations import warn_of
from diffeo_registry.errors import DiffeoError, Path, Problem, SpecError
from diffeo_registry.fields import Slot
from diffeo_registry.overrides import apply_overrides
from diffeo_registry.registry import Registry
from diffeo_registry.structuring import structure_quietly
from diffeo_registry.yaml_data import Place, read_yaml

__all__ = ["Document"]


@attrs.frozen(kw_only=True)
class Document:
    """Plain data, where it came from, and which parts of it ``--set`` has changed.

    >>> document = Document.parse("trainer: {steps: 1e3}", "spec.yaml")
    >>> document.data
    {'trainer': {'steps': 1000.0}}
    >>> document.where(("trainer", "steps"))
    'spec.yaml:1:18'
    """

    data: Any
    name: str
    """The file, as the user wrote it; it stands in front of line and column."""
    places: Mapping[Path, Place] = attrs.field(factory=dict[Path, Place], repr=False)
    overrides: tuple[tuple[Path, str], ...] = ()
    """The places that overrides wrote to, with the text of each: ``--set trainer.steps=x``."""

    @classmethod
    def parse(cls, text: str, name: str = "<text>") -> "Document":
        """Read YAML 1.2 text; ``SpecError`` with every problem of its form: syntax, duplicate keys, tags, aliases."""
        read = read_yaml(text, name)
        return cls(data=read.data, name=name, places=read.places)

    @classmethod
    def read(cls, file: str | pathlib.Path) -> "Document":
        """Read a YAML file; ``DiffeoError`` if there is none, or it isn't text."""
        try:
            text = pathlib.Path(file).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise DiffeoError(f"{file}: {(error.strerror or str(error)).lower()}") from error
        except UnicodeDecodeError as error:
            raise DiffeoError(f"{file}: expected text in UTF-8; got byte 0x{error.object[error.start]:02x}") from error
        return cls.parse(text, str(file))

    def override(self, texts: Iterable[str], target: type[Any] | Slot, *, registry: Registry) -> "Document":
        """The document with changes such as ``"trainer.steps=500"``; ``SpecError`` with what is wrong with any of them.

        ``target`` is what the document is to be structured to: it says where the slots are.
        """
        data, changes = apply_overrides(self.data, texts, target, registry=registry)
        return attrs.evolve(self, data=data, overrides=(*self.overrides, *changes))

    def structure(self, target: type[Any] | Slot, *, registry: Registry) -> Any:
        """The config that the data describe, as by ``structure``; errors and warnings say where in the file."""
        try:
            config, notes = structure_quietly(self.data, target, registry=registry)
        except SpecError as error:
            raise self.located(error) from None
        warn_of(map(self.locate, notes), stacklevel=2)
        return config

    def where(self, path: Path, *, on_key: bool = False) -> str:
        """``"spec.yaml:24:3"`` for the value at a path (or its key), or for the innermost thing around it that is there."""
        for changed, text in reversed(self.overrides):
            if path[: len(changed)] == changed:
                return text
        for length in range(len(path), -1, -1):
            place = self.places.get(path[:length])
            if place is not None:
                position = place.key if on_key and length == len(path) else place.value
                return f"{self.name}:{position.line}:{position.column}"
        return self.name

    def locate(self, problem: Problem) -> Problem:
        """The problem with its place in the file; one that has a place keeps it."""
        return (
            problem if problem.where else attrs.evolve(problem, where=self.where(problem.path, on_key=problem.on_key))
        )

    def located(self, error: SpecError) -> SpecError:
        """The same problems, each with its place in the file, from top to bottom."""
        return SpecError(sorted(map(self.locate, error.problems), key=_line_and_column))


def _line_and_column(problem: Problem) -> tuple[int, int]:
    """The position that ``where`` ends with; what an override brought in comes first."""
    position = re.search(r":(\d+):(\d+)$", problem.where)
    return (int(position[1]), int(position[2])) if position else (0, 0)
