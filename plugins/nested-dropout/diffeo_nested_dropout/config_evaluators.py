"""Configs of the evaluators. No torch here."""

from typing import Literal

import attrs

from diffeo_registry import field

__all__ = ["OrderedProjection", "ProgressiveSamples", "ReconstructionCurve"]

Split = Literal["train", "val", "test"]
LatentOrder = Literal["natural", "reversed", "random"]


LATENTS = "Which latents are kept first, as in the objective `nested_dropout`."
KEEP = "Numbers of latents to keep; by default"


def _require_some(keep: tuple[int, ...] | None) -> None:
    """Raise for an empty list, or for a number that stands in it twice."""
    if keep is None:
        return
    if not keep:
        raise ValueError("keep: expected at least one number of latents; got none")
    if len(set(keep)) < len(keep):
        raise ValueError(f"keep: expected every number once; got {list(keep)}")


@attrs.frozen(kw_only=True)
class ReconstructionCurve:
    """Mean squared error of what the first k latents alone are decoded to, beside PCA and the same flow in other orders."""

    latents: LatentOrder = field("natural", help=LATENTS)
    keep: tuple[int, ...] | None = field(
        None, help=f"{KEEP} powers of two, a quarter of the latents, and all of them.", ge=1
    )
    others: bool = field(True, help="Measure the same flow with its latents in the two other orders, too.")
    pca: bool = field(
        True, help="Measure principal components of the training data, too; for data of up to 4,096 dimensions."
    )
    center: bool = field(
        True, help="Principal components of deviations from the training mean; false: of the data as they are, about 0."
    )
    train_examples: int = field(
        10_000, help="At most so many training examples, the first ones, decide the principal components.", ge=2
    )
    split: Split = field("test", help="The split that is measured.")
    max_examples: int = field(
        1000,
        help="At most so many examples, the first ones of the split; each is encoded once and decoded for every k and order.",
        ge=2,
    )
    batch_size: int = field(500, help="Examples per call of the model; memory, not the result, depends on it.", ge=1)
    seed: int = field(0, help="Fixes the noise of a flow that is not exact.", ge=0)

    def __attrs_post_init__(self) -> None:
        _require_some(self.keep)


@attrs.frozen(kw_only=True)
class ProgressiveSamples:
    """Images made from the first 2, 4, 8, ... latents of samples and of unseen images, up to all of them."""

    latents: LatentOrder = field("natural", help=LATENTS)
    keep: tuple[int, ...] | None = field(None, help=f"{KEEP} 2, 4, 8, ... and all of them.", ge=1)
    rows: int = field(8, help="Samples, and images, one in a row.", ge=1)
    temperature: float = field(1.0, help="Scales the spread of the base that samples are drawn from.", gt=0)
    split: Split = field("test", help="The split the images, and the contexts of samples, are taken from.")
    seed: int = field(0, help="Fixes the draws.", ge=0)

    def __attrs_post_init__(self) -> None:
        _require_some(self.keep)


@attrs.frozen(kw_only=True)
class OrderedProjection:
    """Unseen points beside what their first 1, 2, 3 latents are decoded to, on the manifolds that the flow has learned."""

    latents: LatentOrder = field("natural", help=LATENTS)
    split: Split = field("test", help="The split that is drawn.")
    max_examples: int = field(2000, help="At most so many points, the first ones of the split.", ge=3)
    seed: int = field(0, help="Fixes the noise of a flow that is not exact.", ge=0)
