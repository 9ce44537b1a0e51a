import attrs

from diffeo_registry import field


@attrs.frozen(kw_only=True)
class Stretch:
    """y = x exp(log_scale) + shift, shifted by the context where there is one."""

    log_scale: float = field(0.3, help="Initial log-scale.")


@attrs.frozen(kw_only=True)
class Sinh:
    """y = sinh(x): no parameters, a log-det that isn't constant."""


@attrs.frozen(kw_only=True)
class Append:
    """Appends Gaussian noise whose mean is the sum of x."""

    extra: int = field(1, help="Entries to append.", ge=1)


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
class Explode:
    """A loss that turns to infinity."""

    at: int = field(3, help="First step whose loss is infinite.", ge=0)
