"""The fields of the evaluators of this package. No torch here."""

from typing import Any

import attrs

from diffeo_registry import field

__all__ = ["MarginalLikelihood", "PosteriorPairs", "PosteriorSummary", "SlicedWasserstein", "ValueGrowth"]


def _batch_size() -> Any:
    return field(1000, help="Draws per call of the model; memory, not the result, depends on it.", ge=1)


def _seed() -> Any:
    return field(0, help="Fixes the draws.", ge=0)


def _parameters() -> Any:
    return field(
        None, help='Names of parameters, as beta for all its entries or "beta[0]" for one; by default all there are.'
    )


@attrs.frozen(kw_only=True)
class MarginalLikelihood:
    """The evidence lower bound and the importance-sampled log-marginal of a target, and whether to believe them."""

    num_samples: int = field(20_000, help="Draws per estimate (Andrade 2024).", ge=2)
    repetitions: int = field(
        20, help="Independent estimates, whose mean and standard error are given (Andrade 2024).", ge=1
    )
    batch_size: int = _batch_size()
    seed: int = _seed()


@attrs.frozen(kw_only=True)
class PosteriorPairs:
    """Draws of every pair of parameters, and of each alone."""

    parameters: tuple[str, ...] | None = _parameters()
    max_parameters: int = field(6, help="At most so many, the first ones.", ge=1, le=20)
    num_samples: int = field(20_000, help="Draws.", ge=100)
    batch_size: int = _batch_size()
    seed: int = _seed()


@attrs.frozen(kw_only=True)
class PosteriorSummary:
    """Mean, standard deviation and quantiles of each parameter, with and without importance weights."""

    parameters: tuple[str, ...] | None = _parameters()
    max_parameters: int = field(
        12,
        help="At most so many in the metrics and in the picture, the first ones; the table has them all.",
        ge=1,
        le=60,
    )
    quantiles: tuple[float, ...] = field((0.05, 0.5, 0.95), help="Which quantiles.", gt=0, lt=1)
    num_samples: int = field(4000, help="Draws; all of them are in memory at once.", ge=2)
    batch_size: int = _batch_size()
    seed: int = _seed()


@attrs.frozen(kw_only=True)
class SlicedWasserstein:
    """The sliced Wasserstein distance between draws of the model and exact draws of the target."""

    parameters: tuple[str, ...] | None = _parameters()
    num_samples: int = field(
        10_000, help="Draws of each side; Andrade 2024 takes 40,000, at four times the memory and time.", ge=2
    )
    projections: int = field(1000, help="Random directions (Andrade 2024).", ge=1)
    batch_size: int = _batch_size()
    seed: int = _seed()


@attrs.frozen(kw_only=True)
class ValueGrowth:
    """How large the entries of a draw are after every layer, from the base to the data."""

    num_samples: int = field(256, help="Draws: as many as a training step of Andrade 2024 has.", ge=1)
    batch_size: int = _batch_size()
    seed: int = _seed()
