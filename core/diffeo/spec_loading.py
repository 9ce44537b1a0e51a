"""Reading a spec: a file or the name of a recipe, with overrides, to a typed, validated and resolved ``Spec``."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import attrs

from diffeo.config_spec import Spec
from diffeo_registry import (
    BuildError,
    DiffeoError,
    Document,
    Problem,
    SpecError,
    find_recipe,
    installed,
    to_yaml,
    unstructure,
)

__all__ = ["Origin", "load_spec", "located", "require_list", "reseeded", "resolved_text"]


@attrs.frozen
class Origin:
    """Where a spec came from: the stem of its name, the document it was read from, and the overrides given with it."""

    name: str
    document: Document
    overrides: tuple[str, ...]


def load_spec(source: str | Path, overrides: Sequence[str] = ()) -> Spec:
    """The spec in a file, or the recipe of that name, with ``--set``-style overrides: typed, validated, defaults filled in.

    Raises ``SpecError`` with every problem at once, one line each: file, line, column, path, what and what to do.
    """
    require_list(overrides)
    document, stem = _read(source)
    document = document.override(overrides, Spec, registry=installed())
    spec: Spec = _absolute(document.structure(Spec, registry=installed()))
    object.__setattr__(spec, "origin", Origin(stem, document, tuple(overrides)))
    return spec


def require_list(overrides: Sequence[str]) -> None:
    """Raise for a string: a sequence, too, of options of one letter each."""
    if isinstance(overrides, str):
        raise DiffeoError(f"expected overrides as a list, such as ['trainer.steps=100']; got {overrides!r}")


def reseeded(spec: Spec, seed: int) -> Spec:
    """The same spec with another seed, and the same origin."""
    other = attrs.evolve(spec, seed=seed)
    origin: Origin | None = spec.origin
    if origin is not None:
        object.__setattr__(other, "origin", attrs.evolve(origin, overrides=(*origin.overrides, f"seed={seed}")))
    return other


def resolved_text(spec: Spec) -> str:
    """The spec with every default written out and package and version pinned in every slot, as YAML."""
    origin: Origin | None = spec.origin
    lines = ["# Resolved: every default written out, package and version pinned in every slot."]
    if origin is not None:
        lines += [f"# From {origin.document.name}", *(f"# --set {text}" for text in origin.overrides)]
    return "\n".join(lines) + "\n" + to_yaml(unstructure(spec, registry=installed()))


@contextmanager
def located(spec: Spec) -> Generator[None]:
    """Give errors raised while building a spec their place in the user's file."""
    try:
        yield
    except BuildError as error:
        if spec.origin is None:
            raise
        problem = Problem(path=error.path, message=error.message)
        raise SpecError([spec.origin.document.locate(problem)]) from error


def _absolute(value: Any) -> Any:
    """The same value with every path in it absolute, so that a resolved spec means the same from any folder."""
    if isinstance(value, Path):
        return value.absolute()
    if isinstance(value, tuple):
        return tuple(_absolute(item) for item in cast(tuple[Any, ...], value))
    if not attrs.has(type(value)):
        return value
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
    changed = {name: new for name, old in fields.items() if (new := _absolute(old)) is not old}
    return attrs.evolve(value, **changed) if changed else value


def _read(source: str | Path) -> tuple[Document, str]:
    path = Path(source)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return Document.read(path), path.stem
    recipe = find_recipe(str(source), installed())
    return Document.parse(recipe.read_text(), str(source)), path.name
