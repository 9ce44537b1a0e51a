"""Fields of a config class: a type, a default, bounds and a help text; and slots, which take other components."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

__all__ = ["Slot", "field"]

HELP = "diffeo_help"
BOUNDS = "diffeo_bounds"
FORMER = "diffeo_renamed_from"


@attrs.frozen(init=False)
class Slot:
    """Marks a field that takes any component of the given kinds: ``Annotated[Any, Slot("bijector", "augmenter")]``.

    In a spec a slot holds a name (``actnorm``) or a mapping of one name to its fields (``coupling: {transform:
    affine}``); in Python also a config object. ``tuple[Step, ...]``, ``dict[str, Step]`` and ``Step | None`` work where
    ``Step`` is such an annotation.
    """

    kinds: tuple[str, ...]

    def __init__(self, *kinds: str) -> None:
        if not kinds:
            raise ValueError("expected at least one kind in a Slot; got none")
        self.__attrs_init__(kinds=kinds)  # type: ignore[attr-defined]


@attrs.frozen(kw_only=True)
class Bounds:
    """What a value must satisfy; checked per item where the value is a tuple or a dict."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[Any, ...] | None = None

    def check(self, value: Any) -> None:
        """Raise ``ValueError`` with what was expected and what came."""
        if isinstance(value, (tuple, list)):
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                self.check(item)
        elif isinstance(value, dict):
            self.check(tuple(value.values()))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif value is not None and not self.holds(value):
            raise ValueError(f"expected {self}; got {value!r}")

    def holds(self, value: Any) -> bool:
        if self.choices is not None:
            return value in self.choices
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def __str__(self) -> str:
        if self.choices is not None:
            texts = [repr(choice) for choice in self.choices]
            return f"one of {', '.join(texts)}" if len(texts) > 1 else texts[0]
        names = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
        limits = [f"{sign} {getattr(self, name):g}" for name, sign in names.items() if getattr(self, name) is not None]
        return "a value " + " and ".join(limits)


def field(
    default: Any = attrs.NOTHING,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[Any] | None = None,
    factory: Callable[[], Any] | None = None,
    renamed_from: str | Sequence[str] = (),
) -> Any:
    """A field of a config class with a help text and bounds; without ``default`` or ``factory`` it is required.

    Bounds are checked when the config is made, in Python as in YAML. Tuples and dicts are checked item by item, ``None`` passes.
    ``renamed_from``: former keys, which specs and saved models may go on using; each use is warned of.

    >>> @attrs.frozen(kw_only=True)
    ... class Spline:
    ...     bins: int = field(8, help="Number of bins.", ge=1)
    >>> Spline(bins=0)
    Traceback (most recent call last):
        ...
    ValueError: bins: expected a value >= 1; got 0
    """
    bounds = Bounds(ge=ge, gt=gt, le=le, lt=lt, choices=None if choices is None else tuple(choices))

    def validate(_instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        try:
            bounds.check(value)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}") from None

    former = (renamed_from,) if isinstance(renamed_from, str) else tuple(renamed_from)
    extra: dict[str, Any] = {"factory": factory} if factory is not None else {"default": default}
    return attrs.field(validator=validate, metadata={HELP: help, BOUNDS: bounds, FORMER: former}, **extra)
