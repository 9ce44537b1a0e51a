"""Config of the data set. No torch here."""

import attrs

from diffeo_registry import field

__all__ = ["RotatedGaussian"]


@attrs.frozen(kw_only=True)
class RotatedGaussian:
    """A normal density in three dimensions whose axes have variances 1, 0.1 and 0.01 and lie askew."""

    num_examples: int = field(10_000, help="Examples of each of the three splits.", ge=1)
