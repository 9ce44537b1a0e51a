"""Fields of a config made in Python: bounds, choices, slots; and records."""

from typing import Any

import attrs
import pytest

from diffeo_registry import BuildError, Component, Kind, Problem, Recipe, Slot, SpecError, field, format_path


@attrs.frozen(kw_only=True)
class Limits:
    low: int | None = field(1, help="At least 1.", ge=1)
    rate: float = field(0.5, help="Strictly inside.", gt=0, lt=1)
    top: int = field(3, help="At most 3.", le=3)
    mode: str = field("a", help="A word.", choices=["a", "b"])
    widths: tuple[int, ...] = field((1, 2), help="All of them.", ge=1)
    table: dict[str, float] = field(factory=dict, help="All of them.", gt=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 0}, "low: expected a value >= 1; got 0"),
        ({"rate": 1.0}, "rate: expected a value > 0 and < 1; got 1.0"),
        ({"rate": 0.0}, "rate: expected a value > 0 and < 1; got 0.0"),
        ({"rate": float("nan")}, "rate: expected a value > 0 and < 1; got nan"),
        ({"top": 4}, "top: expected a value <= 3; got 4"),
        ({"mode": "c"}, "mode: expected one of 'a', 'b'; got 'c'"),
        ({"widths": (3, 0)}, "widths: expected a value >= 1; got 0"),
        ({"table": {"a": 1.0, "b": 0.0}}, "table: expected a value > 0; got 0.0"),
    ],
)
def test_bounds(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Limits(**given)
    assert str(caught.value) == message


def test_what_lies_on_a_bound_or_is_none_passes() -> None:
    assert Limits(low=None, top=3, rate=0.999, widths=(), table={"a": 1e-9}).low is None


def test_a_slot_names_its_kinds() -> None:
    assert Slot("bijector", "augmenter").kinds == ("bijector", "augmenter")
    with pytest.raises(ValueError, match=r"^expected at least one kind in a Slot; got none$"):
        Slot()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: component(kind=()), "expected at least one kind; got none"),
        (lambda: component(kind="a b"), "expected kind of letters, digits and underscores; got 'a b'"),
        (lambda: component(name="a/b"), "expected name of letters, digits and underscores; got 'a/b'"),
        (lambda: component(config="a.B"), "expected config as 'package.module:Class'; got 'a.B'"),
        (lambda: component(implementation=":B"), "expected implementation as 'package.module:Class'; got ':B'"),
        (lambda: component(version=0), "'version' must be >= 1: 0"),
        (lambda: Kind(name="a-b", plural="", protocol="a:B", summary=""), "expected name of letters"),
        (lambda: Recipe(name="one", file="a:b", summary=""), "expected name as 'topic/name'; got 'one'"),
    ],
)
def test_records_are_checked(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make()
    assert message in str(caught.value)


def component(**changes: Any) -> Component:
    fields = {"kind": "bijector", "name": "a", "config": "a.b:C", "implementation": "a.b:D", "summary": ""}
    return Component(**{**fields, **changes})


def test_errors_tell_where_and_what() -> None:
    path = ("model", "steps", 1, "split")
    assert format_path(path) == "model.steps[1].split"
    problem = Problem(path=path, message="wrong", where="spec.yaml:3:1")
    assert str(SpecError([problem, Problem(path=(), message="also")])) == (
        "spec.yaml:3:1: model.steps[1].split: wrong\nalso"
    )
    inner = BuildError("expected 4 channels; got 3", ("squeeze",))
    assert str(inner.inside(("steps", 2))) == "steps[2].squeeze: expected 4 channels; got 3"
