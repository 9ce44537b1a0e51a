"""A law as a record: its name, the function that checks it, and whom it binds. No torch here."""

from collections.abc import Callable

import attrs

from diffeo.capabilities import Capabilities
from diffeo.testing.cases import Case, Shape

__all__ = ["Facts", "Law", "Suite", "always"]


@attrs.frozen(kw_only=True)
class Facts:
    """What decides which laws bind a case: what the component declares, and what came out when it was built."""

    case: Case
    capabilities: Capabilities
    in_shape: Shape | None = None
    out_shape: Shape | None = None
    context_shape: Shape | None = None
    is_exact: bool = True
    """False for what draws noise, or only bounds a density."""
    fits_plane: bool = False
    """Whether the same spec can be built for points of the plane, where densities are integrated."""


def always(facts: Facts) -> bool:
    """Whether a law binds everybody: yes."""
    return True


@attrs.frozen(kw_only=True)
class Law:
    """One thing that holds for every component that says it does.

    ``check`` is a function by reference that takes a ``diffeo.testing.Subject`` and raises AssertionError; the first line of
    its docstring is the law in words.
    """

    name: str
    check: str
    is_quality: bool = False
    """Good to have, and not needed for right numbers: a failure counts in strict runs only."""
    is_slow: bool = False
    """Takes a second or so: quick runs check it for representative cases only."""
    binds: Callable[[Facts], bool] = always


@attrs.frozen(kw_only=True)
class Suite:
    """The laws of a kind, and how a built component becomes the map they speak of.

    ``view`` is a function by reference from the built component to a ``diffeo.Bijector``; without one the component is the
    map itself. So a kind of its own (an elementwise transform, whose parameters come as an argument) is held to the laws
    of bijectors by a view of a few lines.
    """

    laws: tuple[Law, ...]
    view: str = ""
