"""The fields of DenseFlow's parts. No torch here."""

from typing import Annotated, Any, Literal

import attrs

from diffeo_registry import Slot, field

__all__ = ["CrossUnit", "DenseConv", "DenseConvEncoder", "ExpandingConv", "NystromDenseConv"]

Distribution = Annotated[Any, Slot("distribution")]
Step = Annotated[Any, Slot("bijector", "augmenter")]

GROWTH = "Channels that each densely connected layer adds to what the next one sees."
LAYERS = "Densely connected layers: a 1x1 and a 3x3 convolution, a ReLU after each."


@attrs.frozen(kw_only=True)
class CrossUnit:
    """A block of units; in front of each but the first, noise is appended that depends on all that came before."""

    units: int = field(help="How many units; each has parameters of its own. For a single one, use chain.", ge=2)
    growth: int = field(
        help="Channels of noise appended in front of every unit but the first, or entries of a vector. Even where couplings "
        "swap halves.",
        ge=1,
    )
    steps: tuple[Step, ...] = field(help="Steps of one unit, from data to latent; built anew for each.")
    distribution: Distribution = field(
        {"conditional_normal": {"network": "expanding_conv"}},
        help="q(e | earlier representations): any distribution whose density is exact. The default is for images.",
    )
    reads: Literal["all", "last"] = field(
        "all",
        help="What the noise in front of unit i + 1 depends on: all representations up to unit i - 1, or that of unit i - 1 alone.",
    )


@attrs.frozen(kw_only=True)
class ExpandingConv:
    """A 3x3 convolution to several times the channels, a ReLU, a 1x1 convolution."""

    expansion: int = field(4, help="Channels in between, as a multiple of those of the input.", ge=1)


@attrs.frozen(kw_only=True)
class NystromDenseConv:
    """The network of DenseFlow's couplings: densely connected convolutions beside attention over all positions."""

    channels: int = field(48, help="Channels of each of the two branches; 48 is that of the paper's models.", ge=1)
    layers: int = field(7, help=LAYERS, ge=1)
    growth: int = field(64, help=GROWTH, ge=1)
    attention: Literal["nystrom", "released", "none"] = field(
        "nystrom",
        help="nystrom: every pixel attends to every other, by landmarks. released: as the code behind the published numbers "
        "computes it, which mixes channels with positions. none: convolutions alone.",
    )
    features: int = field(
        24, help="Dimensions of queries, keys and values; half the channels in the paper's models.", ge=1
    )
    landmarks: int = field(4, help="Averages of keys and queries that stand for all; divides height times width.", ge=1)
    batch_norm: bool = field(
        True,
        help="Normalise where the branches meet with the statistics of the batch, as in the paper; else not at all.",
    )


@attrs.frozen(kw_only=True)
class DenseConv:
    """Densely connected convolutions with a gate, around a skip."""

    channels: int = field(64, help="Channels of the skip; 64 is that of the paper's dequantization.", ge=1)
    layers: int = field(4, help=LAYERS, ge=1)
    growth: int = field(64, help=GROWTH, ge=1)


@attrs.frozen(kw_only=True)
class DenseConvEncoder:
    """Features of an image at half its height and width, by densely connected convolutions."""

    channels: int = field(64, help="Channels of the features; 64 is that of the paper's dequantization.", ge=1)
    layers: int = field(4, help=LAYERS, ge=1)
    growth: int = field(16, help=GROWTH, ge=1)
