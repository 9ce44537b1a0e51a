"""The fields of the Flow++ parts. No torch here."""

from typing import Annotated, Any

import attrs

from diffeo_registry import Slot, field

__all__ = [
    "Column",
    "EachPart",
    "FirstChannels",
    "GatedConvAttention",
    "GatedConvEncoder",
    "MixtureLogistic",
    "SwapParts",
]

Scale = Annotated[Any, Slot("scale")]
Split = Annotated[Any, Slot("split")]
Step = Annotated[Any, Slot("bijector")]

DROPOUT = "Probability of dropping an entry inside every block while training; 0.2 is that of Flow++ on CIFAR-10."
HEADS = "Heads of the attention; they divide the channels. 4 is that of Flow++."
WEIGHT_NORM = "Train direction and length of the weights apart, as on ImageNet; on CIFAR-10 data set the scale once."


def check_heads(channels: int, heads: int) -> None:
    """Refuse heads that cannot share the channels."""
    if channels % heads:
        raise ValueError(f"heads: expected a divisor of channels = {channels}; got {heads}")


@attrs.frozen(kw_only=True)
class MixtureLogistic:
    """The distribution function of a mixture of logistic distributions, then logit, then scale and shift."""

    components: int = field(32, help="Logistic distributions in the mixture of each entry; 32 is that of Flow++.", ge=1)
    margin: float = field(
        0.0,
        help="Probabilities are squeezed into [margin, 1 - margin] before the logit; 0 is Flow++, onto all of R. VFlow has "
        "0.05: what a latent outside of the image maps back to is then clipped.",
        ge=0.0,
        lt=0.5,
    )
    scale: Scale = field(
        {"tanh": {"bound": 1.0}},
        help="From the network's raw output to the log-scale; the paper has exp, its code tanh.",
    )
    min_log_scale: float = field(
        -7.0, help="Log-scales of the components are clamped below; -7 is that of Flow++.", ge=-30.0, le=0.0
    )
    iterations: int = field(
        24,
        help="Steps of the root-finder in the inverse. 24 reach 1e-6 with means and log-scales of size 10; a freshly "
        "initialised network needs 6.",
        ge=1,
    )


@attrs.frozen(kw_only=True)
class Column:
    """Keeps the even columns of an image, changes the odd ones: two images of half the width."""

    swap: bool = field(False, help="Change the even columns and keep the odd ones.")


@attrs.frozen(kw_only=True)
class FirstChannels:
    """Keeps the first few channels, changes the rest."""

    count: int = field(3, help="How many channels the first part has; 3 are those of a colour image.", ge=1)
    swap: bool = field(False, help="Change the first channels and keep the rest.")


@attrs.frozen(kw_only=True)
class EachPart:
    """A bijector for each part of a split."""

    split: Split = field("channel", help="The parts.")
    step: Step = field(help="A bijector that keeps the shape; built once for each part. Several: a chain.")


@attrs.frozen(kw_only=True)
class SwapParts:
    """Exchanges the parts of a split."""

    split: Split = field("channel", help="The parts; they have the same shape.")


@attrs.frozen(kw_only=True)
class GatedConvAttention:
    """The conditioner network of Flow++: gated convolutions and attention."""

    channels: int = field(96, help="Channels of the residual stream; 96 is that of Flow++ on CIFAR-10.", ge=1)
    blocks: int = field(10, help="Blocks of a gated convolution and an attention; 10 is that of Flow++.", ge=0)
    attention: bool = field(True, help="Whether blocks have an attention over all positions.")
    heads: int = field(4, help=HEADS, ge=1)
    dropout: float = field(0.2, help=DROPOUT, ge=0.0, lt=1.0)
    init_scale: float = field(
        0.1,
        help="Standard deviation of the output after data-dependent initialisation; 0: the network returns 0 at first, and a "
        "coupling with it is the identity.",
        ge=0.0,
    )
    last_elu: bool = field(False, help="Apply concat_elu in front of the last convolution, as on ImageNet.")
    weight_norm: bool = field(False, help=WEIGHT_NORM)

    def __attrs_post_init__(self) -> None:
        if self.attention:
            check_heads(self.channels, self.heads)


@attrs.frozen(kw_only=True)
class GatedConvEncoder:
    """The context network of Flow++: features of an image for couplings with the same split."""

    split: Split = field("column", help="That of the couplings: features have the height and width of a part.")
    channels: int = field(32, help="Channels of the features; 32 is that of Flow++.", ge=1)
    blocks: int = field(3, help="Gated convolutions; 3 is that of Flow++ on CIFAR-10.", ge=0)
    attention: bool = field(False, help="Add norms and an attention after each convolution, as on ImageNet.")
    heads: int = field(4, help=HEADS, ge=1)
    dropout: float = field(0.2, help=DROPOUT, ge=0.0, lt=1.0)
    weight_norm: bool = field(False, help=WEIGHT_NORM)

    def __attrs_post_init__(self) -> None:
        if self.attention:
            check_heads(self.channels, self.heads)
