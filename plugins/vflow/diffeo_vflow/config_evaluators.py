"""Configs of the evaluators. No torch here."""

from typing import Literal

import attrs

from diffeo_registry import field

__all__ = ["ClippedShare", "ModeTransport"]

Split = Literal["train", "val", "test"]


@attrs.frozen(kw_only=True)
class ModeTransport:
    """Where a flow of the plane takes the squares of the data: one colour for the points of each."""

    side: float = field(2.0, help="Side of the squares; 2 is that of the checkerboard.", gt=0)
    split: Split = field("test", help="The split that is drawn.")
    max_examples: int = field(4000, help="At most so many points, the first ones of the split.", ge=10)
    seed: int = field(0, help="Fixes the noise of a flow that is not exact.", ge=0)


@attrs.frozen(kw_only=True)
class ClippedShare:
    """How often sampling meets latents that no data are mapped to, and clips them."""

    num_samples: int = field(1000, help="Samples that are drawn.", ge=1)
    batch_size: int = field(100, help="Samples per call of the model.", ge=1)
    temperature: float = field(1.0, help="Scales the spread of the base.", gt=0)
    split: Split = field("test", help="The split whose contexts a conditional flow is given.")
    seed: int = field(0, help="Fixes the draws.", ge=0)
