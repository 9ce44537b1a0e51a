"""What a user may write."""

from typing import Annotated, Any, Literal

import attrs

from diffeo_registry import Slot, field


@attrs.frozen(kw_only=True)
class Warp:
    """The first half scales and shifts the second; a gate says how much."""

    gate: Annotated[Any, Slot("gate")] = field("soft", help="How much.")
    hidden: int = field(4, help="Width of the network.", ge=1, renamed_from="units")
    swap: bool = field(False, help="The second half scales and shifts the first.")


@attrs.frozen(kw_only=True)
class SoftGate:
    """A trainable number between 0 and 1 for every entry."""

    start: float = field(0.5, help="Its first value.", gt=0, lt=1)


@attrs.frozen(kw_only=True)
class FixedGate:
    """The same number for all."""

    value: float = field(1.0, help="The number.")


@attrs.frozen(kw_only=True)
class Widen:
    """Appends normal noise."""

    entries: int = field(2, help="Entries to append.", ge=1)
    sd: float = field(1.0, help="Standard deviation.", gt=0)


@attrs.frozen(kw_only=True)
class Lattice:
    """Points of a lattice in the plane, shaken while training."""

    side: int = field(6, help="Points along a side.", ge=2)
    shake: float = field(0.1, help="Standard deviation.", ge=0)
    spacing: tuple[float, float] = field((0.5, 0.25), help="Between neighbours, each way.", gt=0)


@attrs.frozen(kw_only=True)
class Tempered:
    """Minus the log-likelihood to a power, beside its running mean."""

    power: float = field(1.0, help="The power.", gt=0)
    reduce: Literal["mean", "sum"] = field("mean", help="Over the batch.")
