from pathlib import Path
from typing import Literal

import attrs

from diffeo_registry import field


@attrs.frozen(kw_only=True)
class Stretch:
    """y = x exp(log_scale) + shift, shifted by the context where there is one."""

    log_scale: float = field(0.3, help="Initial log-scale.", renamed_from="scale")


@attrs.frozen(kw_only=True)
class Sinh:
    """y = sinh(x): no parameters, a log-det that isn't constant."""


@attrs.frozen(kw_only=True)
class Couple:
    """The first half shifts and scales the second, by a network that may have noise or batch normalisation."""

    hidden: int = field(8, help="Width of the network.", ge=1)
    swap: bool = field(False, help="The second half shifts and scales the first.")
    dropout: float = field(0.0, help="Dropout probability.", ge=0, lt=1)
    norm: bool = field(False, help="Batch normalisation in the network.")


@attrs.frozen(kw_only=True)
class Cliff:
    """The identity, with an infinite log-det where the first entry rounds to one value."""

    at: int = field(17, help="That value.")


@attrs.frozen(kw_only=True)
class Center:
    """y = x - shift, the shift set from the first batch."""


@attrs.frozen(kw_only=True)
class Quirk:
    """y = x + shift, by a module with a habit that a trainer of many models at once has to notice."""

    does: Literal["nothing", "count", "replace", "number", "tie", "idle", "freeze"] = field("nothing", help="Which.")


@attrs.frozen(kw_only=True)
class Append:
    """Appends Gaussian noise whose mean is the sum of x."""

    extra: int = field(1, help="Entries to append.", ge=1)
    handed: bool = field(False, help="Ask diffeo for the noise.")
    drawn: bool = field(False, help="Take the noise from a diagonal normal.")


@attrs.frozen(kw_only=True)
class Fold:
    """(C, 2S) to (2C, S)."""


@attrs.frozen(kw_only=True)
class Jitter:
    """Integers to x + u."""


@attrs.frozen(kw_only=True)
class Lift:
    """A linear encoder."""

    out: int = field(3, help="Features.", ge=1)


@attrs.frozen(kw_only=True)
class Blob:
    """Normal points around (2, -1), fresh in every step."""

    conditional: bool = field(False, help="Deliver a context, the mean of the point.")


@attrs.frozen(kw_only=True)
class Dice:
    """Pairs of integers between 0 and 5."""

    size: int = field(100, help="Training examples.", ge=1)


@attrs.frozen(kw_only=True)
class Elbo:
    """Minus the evidence lower bound of a target."""


@attrs.frozen(kw_only=True)
class Ring:
    """A ring with a positive radius, by polar coordinates."""

    path: Path | None = field(None, help="A file that has to be there.")


@attrs.frozen(kw_only=True)
class Explode:
    """A loss that turns to infinity."""

    at: int = field(3, help="First step whose loss is infinite.", ge=0)
    where: Literal["loss", "gradient"] = field("loss", help="Or whose gradient is not finite while the loss is.")


@attrs.frozen(kw_only=True)
class Beads:
    """Example number i is the point (i, i mod 7), shaken while training."""

    size: int = field(48, help="Training examples.", ge=1)
    val: int = field(20, help="Validation examples.", ge=0)
    shake: float = field(0.0, help="Standard deviation of the augmentation.", ge=0)
    alarm: int = field(0, help="A signal that this process gets while the data are prepared; 0: none.", ge=0)


@attrs.frozen(kw_only=True)
class Mishap:
    """Maximum likelihood, and at one step of one process something goes wrong."""

    does: Literal[
        "nothing", "signal", "signal_launcher", "raise", "hang", "blow_up", "drift", "draw", "leave_out", "fill_disk"
    ] = field("nothing", help="What.")
    number: int = field(15, help="Which signal.")
    times: int = field(1, help="How many signals.", ge=1)
    at: int = field(7, help="The step.", ge=0)
    until: int | None = field(None, help="The last such step; none: the same.", ge=0)
    rank: int = field(0, help="The process.", ge=0)
    attempts: int = field(1, help="In how many attempts of torchrun.", ge=1)
    seconds: float = field(0.0, help="How long every step takes at least.", ge=0)


@attrs.frozen(kw_only=True)
class Unit:
    """Steps of length lr: what happens to one number depends on all numbers of its tensor."""

    lr: float = field(0.01, help="Length.", gt=0)


@attrs.frozen(kw_only=True)
class Bell:
    """An evaluator that sends this process a signal."""

    number: int = field(15, help="Which signal.")
