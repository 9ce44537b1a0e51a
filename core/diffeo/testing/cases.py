"""Cases: a spec with the shapes it is built for. Tables of them stand in plugins, so there is no torch here."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import attrs

__all__ = ["CONTEXT_SHAPE", "STANDARD_PAIRS", "STANDARD_SHAPES", "Case", "automatic_cases", "name_in", "with_name"]

Shape = tuple[int, ...]

STANDARD_SHAPES: tuple[Shape, ...] = ((5,), (4,), (2,), (4, 2, 4), (1, 4, 4), (2, 4))
"""Event shapes that are tried where nobody gives any: odd and even vectors, images of several channels and of one, sequences."""

STANDARD_PAIRS: tuple[tuple[Shape, Shape], ...] = (((3,), (2, 4)), ((2, 4, 4), (3, 4, 4)))
"""Shapes in and out that are tried for networks."""

CONTEXT_SHAPE: Shape = (3,)


def _are_reasons(_instance: object, _attribute: "attrs.Attribute[Any]", value: Mapping[str, str]) -> None:
    for name, reason in value.items():
        if not reason.strip():
            raise ValueError(f"expected a reason why {name!r} is expected to fail; got none")


@attrs.frozen(kw_only=True)
class Case:
    """A component as a user may write it, with what it is built from.

    >>> Case(spec={"coupling": {"transform": "affine"}}, shape=(5,), context_shape=(3,)).label
    'coupling(affine) (5,) context (3,)'
    """

    spec: Any = None
    """A name, ``{name: fields}``, or a config object; it names the component whose record leads here."""
    shape: Shape | None = None
    """The event shape; for a network the shape that goes in."""
    out_shape: Shape | None = None
    """For a network: the shape that comes out."""
    context_shape: Shape | None = None
    model: Any = None
    """For an objective: a model in the grammar of a spec. By default a flow of a trainable normal."""
    data: Any = None
    """For an objective: a data set or a target. By default normal points in the plane."""
    files: str = ""
    """For what reads files: a function by reference, ``(folder) -> spec``, that writes them into an empty folder and returns
    the spec to use; ``spec`` is then the name alone."""
    needs: tuple[str, ...] = ()
    """Packages whose parts the spec names, besides its own: the case is left out where one is not installed."""
    scale: float = 0.5
    """How far parameters are moved away from where they start; see ``randomize``."""
    representative: bool = False
    """Whether quick runs take its slow checks, too. The first case of a component counts as one anyway."""
    expected_failures: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=_are_reasons)
    """Name of a law -> why it cannot hold here. Strict: one that holds nevertheless is a failure."""

    @property
    def label(self) -> str:
        """The spec in short and the shapes, as in ``leaky (5,) context (3,)``."""
        return f"{self.name} {self.shapes}".strip()

    @property
    def name(self) -> str:
        """The spec in short."""
        return _short(self.spec)

    @property
    def shapes(self) -> str:
        """``(3,) -> (2, 4) context (3,)``, as far as there are any."""
        parts = [
            "" if self.shape is None else str(self.shape),
            "" if self.out_shape is None else f"-> {self.out_shape}",
            "" if self.context_shape is None else f"context {self.context_shape}",
        ]
        return " ".join(filter(None, parts))


def automatic_cases(spec: str, built_with: Sequence[str]) -> list[list[Case]]:
    """What to try for a component without cases of its own: from each list the first case that can be built is used."""
    if "in_shape" in built_with:
        plain = [[Case(spec=spec, shape=one, out_shape=other)] for one, other in STANDARD_PAIRS]
        return [*plain, *([attrs.evolve(case, context_shape=CONTEXT_SHAPE) for case in cases] for cases in plain[:1])]
    if "shape" not in built_with:
        return [[Case(spec=spec)]]
    vectors = [Case(spec=spec, shape=shape) for shape in STANDARD_SHAPES if len(shape) == 1]
    arrays = [Case(spec=spec, shape=shape) for shape in STANDARD_SHAPES if len(shape) > 1]
    if "context_shape" not in built_with:
        return [vectors, arrays]
    with_context = [attrs.evolve(case, context_shape=CONTEXT_SHAPE) for case in (*vectors, *arrays)]
    return [vectors, arrays, with_context]


def name_in(spec: Any) -> str | None:
    """The name that a spec starts with; None for a config object."""
    if isinstance(spec, Mapping) and len(cast(Mapping[str, Any], spec)) == 1:
        return next(iter(cast(Mapping[str, Any], spec)))
    return spec if isinstance(spec, str) else None


def with_name(spec: Any, name: str) -> Any:
    """The same spec of the component with this name, which may be another package's, too; a config object as it is."""
    if isinstance(spec, Mapping):
        return {name: next(iter(cast(Mapping[str, Any], spec).values()))}
    return name if isinstance(spec, str) else spec


def _short(spec: Any) -> str:
    """``{"coupling": {"split": "half", "network": {"mlp": {...}}}}`` -> ``coupling(half,mlp)``."""
    if spec is None or isinstance(spec, str):
        return spec or ""
    if not isinstance(spec, Mapping):
        return type(spec).__name__
    ((name, fields),) = cast(Mapping[str, Any], spec).items()
    return f"{name}({','.join(map(_value, fields.values()))})" if fields else name


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _short(cast(Mapping[str, Any], value)) if len(cast(Mapping[str, Any], value)) == 1 else "..."
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_value, cast(list[Any], value)))}]"
    return str(value)
