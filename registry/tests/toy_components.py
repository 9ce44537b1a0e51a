"""Configs and records for tests; conftest.py makes this file importable as ``diffeo_toys``."""

import enum
import pathlib
from typing import Annotated, Any, Literal

import attrs

from diffeo_registry import Component, Kind, Recipe, Slot, field

Step = Annotated[Any, Slot("bijector", "augmenter")]


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


@attrs.frozen(kw_only=True)
class Half:
    """Which half is kept."""

    swap: bool = field(False, help="Keep the second half.")


@attrs.frozen(kw_only=True)
class Affine:
    scale: float = field(1.0, help="Scale.", gt=0)


@attrs.frozen(kw_only=True)
class Spline:
    bins: int = field(8, help="Bins.", ge=2, le=64)
    bound: float = field(3.0, help="Half the box.", gt=0)


@attrs.frozen(kw_only=True)
class SplineTwo:
    knots: int = field(9, help="Knots.", ge=3)


@attrs.frozen(kw_only=True)
class Coupling:
    """One part is transformed given the other."""

    split: Annotated[Any, Slot("split")] = field("half", help="What is kept.")
    transform: Annotated[Any, Slot("elementwise")] = field("affine", help="The map.")
    hidden: tuple[int, ...] = field((128, 128), help="Widths.", ge=1)


@attrs.frozen(kw_only=True)
class Actnorm:
    pass


@attrs.frozen(kw_only=True)
class Noise:
    sd: float = field(help="Standard deviation.", gt=0)


@attrs.frozen(kw_only=True)
class Chain:
    steps: tuple[Step, ...] = field((), help="Steps.")
    last: Step | None = field(None, help="One more.")
    named: dict[str, Step] = field(factory=dict, help="By name.")
    weights: dict[str, float] = field(factory=dict, help="By name.", gt=0)


@attrs.frozen(kw_only=True)
class Range:
    low: float = field(0.0, help="From.")
    high: float = field(1.0, help="To.")

    def __attrs_post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"expected low < high; got {self.low} and {self.high}")


@attrs.frozen(kw_only=True)
class Plain:
    """A third party's config: plain attrs, validators of attrs."""

    size: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    name: str = attrs.field(default="x", validator=attrs.validators.in_(["x", "y"]))
    rate: float = attrs.field(default=0.5, validator=[attrs.validators.gt(0), attrs.validators.lt(1)])
    top: int = attrs.field(default=5)
    ratio: float = attrs.field(default=1.0, converter=float)

    @top.validator  # pyright: ignore
    def _below(self, attribute: Any, value: int) -> None:
        if value < self.size:
            raise ValueError(f"expected top >= size; got {value} and {self.size}")


@attrs.frozen(kw_only=True)
class Values:
    """One field of every type a config may use."""

    flag: bool = False
    count: int = 0
    rate: float = 0.0
    text: str = ""
    maybe: int | None = None
    either: int | str = 0
    mode: Mode = Mode.FAST
    start: Literal["data", "base", 3] = "data"
    pair: tuple[int, float] = (1, 2.0)
    table: dict[str, float] = attrs.field(factory=dict)
    rows: list[list[int]] = attrs.field(factory=list)
    path: pathlib.Path = pathlib.Path("data")
    anything: Any = None


@attrs.frozen(kw_only=True)
class Planar:
    """Parts of it had other names."""

    width: int = field(8, help="Width.", ge=1, renamed_from=("size", "units"))
    steps: tuple[Step, ...] = field((), help="Steps.", renamed_from="layers")
    inner: "Planar | None" = field(None, help="A section.", renamed_from="nested")
    by_name: dict[str, Step] = field(factory=dict, help="By name.", renamed_from="named")
    last: Step | None = field("bent", help="Left at a former name, which is not the user's.")


@attrs.frozen(kw_only=True)
class Radial:
    beta: float = field(help="Required, and renamed.", gt=0, renamed_from="b")


@attrs.frozen(kw_only=True)
class Leaky:
    pass


@attrs.frozen(kw_only=True)
class Adam:
    lr: float = field(1e-3, help="Learning rate.", gt=0)


@attrs.frozen(kw_only=True)
class Sgd:
    lr: float = field(1e-2, help="Learning rate.", gt=0)
    momentum: float = field(0.0, help="Momentum.", ge=0, lt=1)


@attrs.frozen(kw_only=True)
class Trainer:
    steps: int = field(100, help="Steps.", ge=1)
    optimizer: Annotated[Any, Slot("optimizer")] = field("adam", help="Optimizer.")
    precision: Literal["float32", "float64"] = field("float32", help="Dtype.")


@attrs.frozen(kw_only=True)
class Spec:
    model: Step = field(help="The model.")
    seed: int = field(0, help="Seed.", ge=0)
    trainer: Trainer = field(factory=Trainer, help="How.")
    tags: tuple[str, ...] = field((), help="Words.")


def kind(name: str, plural: str = "") -> Kind:
    return Kind(name=name, plural=plural or f"{name}s", protocol="acme:X", built_with=("shape",), summary="A kind.")


def component(kind: Any, name: str, config: str, **others: Any) -> Component:
    implementation = others.pop("implementation", f"torch_of_{name}:Implementation")
    reference = config if ":" in config else f"diffeo_toys:{config}"
    return Component(kind=kind, name=name, config=reference, implementation=implementation, summary="Toy.", **others)


KINDS = [kind("bijector"), kind("augmenter"), kind("split"), kind("elementwise"), kind("optimizer")]
RECORDS = {
    "diffeo": [
        *KINDS,
        component(("bijector", "augmenter"), "chain", "Chain"),
        component("bijector", "squeeze", "Actnorm"),
        component("optimizer", "adam", "Adam"),
        component("optimizer", "sgd", "Sgd"),
    ],
    "diffeo-bijectors": [
        component("bijector", "coupling", "Coupling"),
        component("split", "half", "Half"),
        component("elementwise", "affine", "Affine"),
        component("elementwise", "rq_spline", "Spline"),
        component("elementwise", "rq_spline", "SplineTwo", version=2),
        component("augmenter", "noise", "Noise"),
        component("bijector", "range", "Range"),
    ],
    "acme-flows": [component("bijector", "plain", "Plain"), component("bijector", "values", "Values")],
}
RENAMED = {
    "diffeo": RECORDS["diffeo"],
    "acme": [
        component("bijector", "planar", "Planar", aliases=("sheet", "plane")),
        component("bijector", "radial", "Radial", aliases="ring"),
        component("bijector", "leaky", "Leaky", aliases=("bent",)),
        component("bijector", "half", "Half", deprecated="it diverges; write leaky"),
    ],
}
"""What was renamed, and what is deprecated."""
RECIPES = [Recipe(name="topic/one", file="acme_recipes:specs/one.yaml", summary="One.")]
