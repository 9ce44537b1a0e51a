"""The fields of the objective and of the distributions over the number of latents kept. No torch here."""

from typing import Annotated, Any, Literal

import attrs

from diffeo_registry import Slot, field

__all__ = ["Categorical", "Geometric", "NestedDropout", "Uniform"]

Order = Annotated[Any, Slot("order")]


@attrs.frozen(kw_only=True)
class NestedDropout:
    """Likelihood, plus the squared error of what is decoded when only the first k latents are kept and the rest is 0."""

    weight: float = field(
        1e-3,
        help="Factor of the reconstruction error; 0 is maximum likelihood, without the cost of the inverse.",
        ge=0,
    )
    order: Order = field("geometric", help="Distribution of k, the number of latents kept; drawn for every example.")
    latents: Literal["natural", "reversed", "random"] = field(
        "natural",
        help="Which latents come first: as the flow has them, the deepest level of a multi-scale flow first; the last ones; "
        "or those of a fixed random permutation.",
    )
    units: Literal["bits_per_dim", "nats"] = field(
        "bits_per_dim", help="Units of the likelihood term, which the weight is relative to."
    )
    distance: Literal["mean", "sum"] = field("mean", help="Mean or sum of the squared errors over the dimensions.")
    unit: float = field(
        1.0,
        help="Length that counts as 1 in the reconstruction error, in units of the data: 255 for images means errors on a "
        "scale from black 0 to white 1.",
        gt=0,
    )
    draws: int = field(1, help="Draws of k for every example in a step; each costs an inverse pass.", ge=1)
    every: int = field(
        1,
        help="Compute the reconstruction error at every n-th step only, then n-fold, so that its mean stays the same.",
        ge=1,
    )
    statistics: Literal["frozen", "batch"] = field(
        "frozen",
        help="For batch normalisation in a network: frozen normalises on the way back with the statistics of the way there, "
        "which makes it the exact inverse; batch uses those of the decoded batch, as Bekasov & Murray's own runs did.",
    )


@attrs.frozen(kw_only=True)
class Geometric:
    """k = 1, 2, ... with the same probability of stopping at each; beyond the last latent nothing is dropped."""

    p: float = field(0.33, help="P(k) = (1 - p)^(k - 1) p: the probability of stopping.", gt=0, le=1)


@attrs.frozen(kw_only=True)
class Uniform:
    """Every number of latents from 1 to all of them is as likely as any other."""


@attrs.frozen(kw_only=True)
class Categorical:
    """Given numbers of latents, with given probabilities."""

    sizes: tuple[int, ...] = field(help="Numbers of latents to keep, each at least 1 and at most all of them.", ge=1)
    weights: tuple[float, ...] | None = field(
        None, help="How likely each size is, relative to the others; none: all the same.", ge=0
    )

    def __attrs_post_init__(self) -> None:
        if not self.sizes:
            raise ValueError("sizes: expected at least one number of latents; got none")
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError(f"sizes: expected every number once; got {list(self.sizes)}")
        if self.weights is None:
            return
        if len(self.weights) != len(self.sizes):
            raise ValueError(f"weights: expected one for each of the {len(self.sizes)} sizes; got {len(self.weights)}")
        if not sum(self.weights) > 0:
            raise ValueError("weights: expected at least one above 0; got none")
