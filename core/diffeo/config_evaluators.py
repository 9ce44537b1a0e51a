"""Configs of the evaluators that come with the core."""

from typing import Literal

import attrs

from diffeo_registry import field

__all__ = ["Density2D", "Likelihood", "SampleGrid"]

Split = Literal["train", "val", "test"]


@attrs.frozen(kw_only=True)
class Likelihood:
    """How well the model predicts examples it has not seen: nats and bits per dimension, with standard errors."""

    split: Split = field("test", help="The split that is measured.")
    num_samples: int | None = field(
        None,
        help="Draws per example of the importance-weighted bound; without it a flow that is not exact gives its ELBO.",
        ge=1,
    )
    max_examples: int | None = field(10_000, help="At most so many examples, the first ones of the split.", ge=2)
    batch_size: int = field(500, help="Examples per call of the model; memory, not the result, depends on it.", ge=1)
    chunk: int | None = field(
        None,
        help="Draws of every example in a call of the model; by default as many as give 1,024 rows with all examples of a batch.",
        ge=1,
    )
    baseline: bool = field(True, help="Integer data: measure an independent Gaussian for every entry beside the model.")
    seed: int = field(0, help="Fixes the draws of a flow that is not exact.", ge=0)


@attrs.frozen(kw_only=True)
class SampleGrid:
    """A sheet of samples of an image flow; one row per class where the context is a one-hot class."""

    rows: int = field(8, help="Rows of images; class-conditional flows have one per class instead.", ge=1)
    columns: int = field(10, help="Samples in a row.", ge=1)
    temperature: float = field(
        1.0, help="Scales the spread of the base: below 1 gives cleaner, less varied samples.", gt=0
    )
    real: bool = field(True, help="Show real images beside the samples.")
    split: Split = field("test", help="The split the real images are taken from.")
    seed: int = field(0, help="Fixes the draws.", ge=0)


@attrs.frozen(kw_only=True)
class Density2D:
    """The density of a flow on the plane, beside the data and the true density where that is known."""

    resolution: int = field(200, help="Points of the grid along each axis.", ge=8, le=2000)
    margin: float = field(0.25, help="Room around the data, as a part of their extent.", ge=0)
    max_examples: int = field(20_000, help="At most so many examples in the histogram.", ge=2)
    split: Split = field("test", help="The split that is drawn.")
    num_samples: int = field(32, help="Draws per grid point for a flow that is not exact.", ge=1)
    batch_size: int = field(10_000, help="Grid points per call of the model.", ge=1)
    seed: int = field(0, help="Fixes the draws of a flow that is not exact.", ge=0)
