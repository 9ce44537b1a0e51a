"""What a component can do beyond its protocol, and which laws it is therefore held to. No torch here."""

from collections.abc import Mapping
from typing import Literal

import attrs

__all__ = ["Capabilities", "Domain", "combined"]

Domain = Literal["real", "unit", "positive", "integers"]


def _are_reasons(_instance: object, _attribute: "attrs.Attribute[Mapping[str, str]]", value: Mapping[str, str]) -> None:
    for name, reason in value.items():
        if not reason.strip():
            raise ValueError(f"expected a reason why {name!r} is idle; got none")


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a component declares; ``diffeo conform`` checks all of it.

    Every protocol has an attribute ``capabilities`` whose default fits most. A class replaces it, or an instance does in its
    constructor where it depends on the config:

        class LeakyBijector(diffeo.Bijector):
            capabilities = Capabilities(twice_differentiable=True)

    What is declared is a promise, and tested as one: a component that says it preserves volume must have log-dets of exactly
    0, one that says it ignores its context must give the same bits for every context.
    """

    domain: Domain = "real"
    """Where x may lie: any number, (0, 1), the positive numbers, or integers; for a distribution its support."""
    image: Domain = "real"
    """Where y may lie."""
    inverse: Literal["analytic", "iterative", "none"] = "analytic"
    """How exact the way back is: to rounding; as far as an iteration goes (1e-5 in float64); or there is none."""
    exact_strip: bool = True
    """Whether the ``strip`` of an augmenter gives x back to the bit; not so where bijectors inside of it round."""
    sequential_inverse: bool = False
    """Whether one of the two directions takes a pass for every dimension, as that of an autoregressive step does."""
    context: Literal["none", "some", "all"] = "none"
    """Which outputs a context moves: none (it is accepted and ignored), at least one, or every one."""
    preserves_volume: bool = False
    """Whether the log-det is exactly 0 for every input and every value of the parameters."""
    twice_differentiable: bool = False
    """Whether second derivatives are right, too: not so where the first ones jump, or in a custom backward without one."""
    batch_statistics: bool = False
    """Whether rows of a batch see each other in training mode, as in batch normalisation. In eval mode they never may."""
    idle: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=_are_reasons)
    """Parameters whose gradient may be zero everywhere: name -> reason."""


def combined(parts: Mapping[str, Capabilities]) -> Capabilities:
    """The capabilities of parts in a row, data side first, by the prefixes of their parameters: ``{"steps.0.": ...}``.

    The domain is that of the first and the image that of the last. A context that moves an output of any part moves some
    outputs of the whole; which, only a single part tells.
    """
    members = list(parts.values())
    if not members:
        return Capabilities(preserves_volume=True, twice_differentiable=True)
    contexts = {part.context for part in members}
    inverses = [part.inverse for part in members]
    return Capabilities(
        domain=members[0].domain,
        image=members[-1].image,
        inverse="none" if "none" in inverses else "iterative" if "iterative" in inverses else "analytic",
        sequential_inverse=any(part.sequential_inverse for part in members),
        context=members[0].context if len(members) == 1 else "none" if contexts == {"none"} else "some",
        preserves_volume=all(part.preserves_volume for part in members),
        twice_differentiable=all(part.twice_differentiable for part in members),
        batch_statistics=any(part.batch_statistics for part in members),
        idle={prefix + name: reason for prefix, part in parts.items() for name, reason in part.idle.items()},
    )
