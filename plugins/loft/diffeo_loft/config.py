"""The fields of the bijector, scale, network, distribution and objective of this package. No torch here."""

from typing import Literal

import attrs

from diffeo_registry import field

__all__ = ["Loft", "ReverseKL", "SoftClamp", "StudentT", "TwoMLPs"]


@attrs.frozen(kw_only=True)
class Loft:
    """The identity on [-tau, tau], logarithmic beyond it."""

    tau: float = field(
        100.0,
        gt=0,
        help="Where the logarithm begins. At 100 the map is the identity for any posterior of sane scale (Andrade 2024).",
    )


@attrs.frozen(kw_only=True)
class SoftClamp:
    """A log-scale bounded on either side by a bound of its own."""

    negative: float = field(
        2.0, gt=0, help="The log-scale stays above minus this: a layer shrinks to no less than 0.135 (Andrade 2024)."
    )
    positive: float = field(
        0.1, gt=0, help="The log-scale stays below this: a layer stretches by 1.105 at most (Andrade 2024)."
    )


@attrs.frozen(kw_only=True)
class TwoMLPs:
    """Two multilayer perceptrons with ReLU beside each other, one for each half of the output."""

    hidden: tuple[int, ...] = field(
        (100,),
        ge=1,
        help="Widths of the hidden layers of each; one of 100 served up to 4,002 dimensions (Andrade 2024).",
    )


@attrs.frozen(kw_only=True)
class StudentT:
    """Independent Student-t variables with degrees of freedom of their own."""

    df: float = field(
        30.0, gt=1, help="Degrees of freedom at first; they stay above 1, so that the mean is finite (Andrade 2024)."
    )
    trainable_df: bool = field(True, help="Whether the degrees of freedom of each entry are trained.")
    trainable_loc_scale: bool = field(
        False, help="Whether location and scale of each entry are trained; they start at 0 and 1."
    )


@attrs.frozen(kw_only=True)
class ReverseKL:
    """KL from the model to the target, up to the target's log-marginal: minus the evidence lower bound."""

    gradient: Literal["total", "path", "fast_path"] = field(
        "fast_path",
        help="Estimator: of the whole loss; without the score, by a second pass through the inverse; the same by a "
        "recursion along the first pass.",
    )
    filter: bool = field(True, help="Leave draws out whose loss is not finite, and average over the others.")
    anneal: bool = field(
        False, help="Weight the target by min(1, 0.01 + step / anneal_steps) while training (Andrade 2024)."
    )
    anneal_steps: int | None = field(
        None, ge=1, help="Steps of the annealing; none: a third of the run, 10,000 at most (Andrade 2024)."
    )
