"""The laws of every component: its config survives being written down, its defaults fit the schema, its class explains itself."""

import re
from typing import Annotated, Any

import attrs

from diffeo.testing.reporting import expect
from diffeo.testing.schemas import problem_of
from diffeo.testing.subject import Subject
from diffeo_registry import Document, Slot, installed, json_schema, structure, to_yaml, unstructure

__all__ = ["builds", "config", "docstring", "schema"]

SHAPES = re.compile(r"\bshapes?\b|\(\*|\([A-Z], [A-Z]", re.IGNORECASE)
"""Words and signs by which a docstring may speak of shapes."""

FORMULA = re.compile(r"[=<]|->|\bto\b|``")
"""Signs without which there is no formula."""


def builds(subject: Subject) -> None:
    """It can be built from its spec and shapes."""
    subject.make()


def config(subject: Subject) -> None:
    """Its config, written as plain data and as YAML, is read back equal."""
    registry, slot = installed(), Slot(subject.kind)
    plain = unstructure(subject.config, registry=registry)
    again = structure(plain, slot, registry=registry)
    expect("config", again == subject.config, f"expected {subject.config}; got {again} back from {plain}")
    read = Document.parse(to_yaml(plain)).structure(slot, registry=registry)
    expect("config", read == subject.config, f"expected {subject.config}; got {read} back from YAML")


def schema(subject: Subject) -> None:
    """The JSON Schema of what is installed accepts its spec, with every default written out."""
    registry = installed()
    slot = attrs.field(type=Annotated[Any, Slot(subject.kind)])  # type: ignore[call-overload]
    root = attrs.make_class("Root", {"part": slot}, frozen=True, kw_only=True)
    whole = json_schema(root, registry=registry)
    written = {"part": unstructure(subject.config, registry=registry)}
    problem = problem_of(written, whole, whole.get("$defs", {}))
    expect("schema", not problem, f"expected a schema that accepts {written}; got {problem}")


def docstring(subject: Subject) -> None:
    """The class says what it computes as a formula, its shapes and, where the record names a paper, its source."""
    implementation = subject.component.load_implementation()
    text = implementation.__doc__ or ""
    name = implementation.__name__
    expect("docstring", bool(text.strip()), f"expected a docstring of {name}; got none")
    if subject.kind in ("dataset", "objective"):
        return
    expect(
        "docstring", bool(FORMULA.search(text)), f"expected a formula in the docstring of {name}; got {text[:200]!r}"
    )
    expect("docstring", bool(SHAPES.search(text)), f"expected shapes in the docstring of {name}; got {text[:200]!r}")
    paper = re.search(r"\b(1[89]|20)\d\d\b", subject.component.component.source)
    says = paper is None or paper[0] in text
    expect("docstring", says, f"expected the source, {subject.component.component.source}, in the docstring of {name}")
