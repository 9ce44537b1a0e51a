"""The fields of couplings, elementwise transforms, splits, scale functions, networks and encoders.

A slot's default is a bare name; what it stands for is found when the spec is read. No torch here.
"""

from typing import Annotated, Any

import attrs

from diffeo_registry import Slot, field

__all__ = [
    "MLP",
    "Additive",
    "Affine",
    "Alternate",
    "Autoregressive",
    "Channel",
    "Checkerboard",
    "ConvEncoder",
    "ConvResNet",
    "Coupling",
    "Exp",
    "Half",
    "MLPEncoder",
    "RQSpline",
    "ResidualMLP",
    "SeparateMLPs",
    "Sigmoid",
    "Tanh",
]

Split = Annotated[Any, Slot("split")]
Elementwise = Annotated[Any, Slot("elementwise")]
Scale = Annotated[Any, Slot("scale")]
Network = Annotated[Any, Slot("network")]

# Bijectors --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Coupling:
    """One part of the event is transformed elementwise, with parameters computed from the other part."""

    split: Split = field("half", help="Which entries are kept and which are changed.")
    transform: Elementwise = field("affine", help="The elementwise map applied to the changed part.")
    network: Network = field("mlp", help="Conditioner: from the kept part and the context to the parameters.")


@attrs.frozen(kw_only=True)
class Autoregressive:
    """Every entry is transformed with parameters computed from the entries before it by a masked MLP."""

    transform: Elementwise = field("affine", help="The elementwise map applied to every entry.")
    hidden: tuple[int, ...] = field(
        (128, 128), help="Widths of the hidden layers of the masked MLP; at least one.", ge=2
    )

    def __attrs_post_init__(self) -> None:
        if not self.hidden:
            raise ValueError("hidden: expected at least one hidden layer; got none")


# Elementwise transforms -------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Additive:
    """A shift: volume-preserving."""


@attrs.frozen(kw_only=True)
class Affine:
    """A scale and a shift."""

    scale: Scale = field("tanh", help="From the network's raw output to the log-scale; the default is bounded.")


@attrs.frozen(kw_only=True)
class RQSpline:
    """A monotonic rational-quadratic spline inside a box, the identity outside."""

    bins: int = field(8, help="Number of bins.", ge=2)
    bound: float = field(
        5.0,
        help="The spline acts on [-bound, bound]; a standard normal latent is beyond 5 once in two million draws.",
        gt=0.0,
    )
    min_width: float = field(
        1e-3, help="Smallest width of a bin, as a fraction of the box; bins * min_width < 1.", ge=0.0
    )
    min_height: float = field(
        1e-3, help="Smallest height of a bin, as a fraction of the box; bins * min_height < 1.", ge=0.0
    )
    min_derivative: float = field(1e-3, help="Smallest derivative at a knot.", gt=0.0, lt=1.0)
    temperature: float = field(
        1.0,
        help="Raw widths and heights are divided by it before the softmax; published image flows take the square root of the "
        "channels of the network.",
        gt=0.0,
    )

    def __attrs_post_init__(self) -> None:
        for name in ("min_width", "min_height"):
            if self.bins * getattr(self, name) >= 1.0:
                raise ValueError(
                    f"{name}: expected a value < 1 / bins = {1 / self.bins:g}; got {getattr(self, name)!r}"
                )


# Scale functions --------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Exp:
    """The raw output is the log-scale itself: unbounded."""


@attrs.frozen(kw_only=True)
class Tanh:
    """A log-scale bounded on both sides."""

    bound: float = field(
        2.0,
        help="The log-scale stays in (-bound, bound); 2 lets one layer scale by 0.14 to 7.4.",
        gt=0.0,
    )


@attrs.frozen(kw_only=True)
class Sigmoid:
    """A log-scale bounded above: layers shrink freely and stretch a little."""

    shift: float = field(
        2.0, help="The scale is sigmoid(raw + shift) / sigmoid(shift), at most 1 + exp(-shift).", ge=-30.0, le=30.0
    )
    centered: bool = field(
        True,
        help="false: the scale is sigmoid(raw + shift), at most 1, as in Glow; a raw output of 0 then shrinks by sigmoid(shift).",
    )


# Splits -----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Half:
    """The first half of a vector is kept, the last half changed."""

    swap: bool = field(False, help="Keep the last half and change the first.")


@attrs.frozen(kw_only=True)
class Alternate:
    """Entries 0, 2, 4, ... of a vector are kept, entries 1, 3, 5, ... changed."""

    swap: bool = field(False, help="Keep the odd entries and change the even ones.")


@attrs.frozen(kw_only=True)
class Channel:
    """The first half of the channels (of the first event dimension, at any rank) is kept, the last half changed."""

    swap: bool = field(False, help="Keep the last half and change the first.")


@attrs.frozen(kw_only=True)
class Checkerboard:
    """The white pixels of an image are kept, the black ones changed."""

    swap: bool = field(False, help="Keep the black pixels and change the white ones.")


# Conditioner networks ---------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class MLP:
    """A multilayer perceptron with ReLU; flattens events of any rank."""

    hidden: tuple[int, ...] = field((128, 128), help="Widths of the hidden layers.", ge=1)


@attrs.frozen(kw_only=True)
class SeparateMLPs:
    """Multilayer perceptrons with ReLU that share nothing, each for a part of the output; flattens events of any rank."""

    hidden: tuple[int, ...] = field((128, 128), help="Widths of the hidden layers of each network.", ge=1)
    networks: int = field(
        2, help="How many; with two, an affine coupling has one for its scales and one for its shifts.", ge=1
    )
    init: str = field(
        "zero",
        help="Of the last layers. zero: the networks return 0 at first, and a coupling with them is the identity. uniform: "
        "weights and biases from U(-1, 1)/sqrt(inputs), as those of all other layers, which is torch's default.",
        choices=("zero", "uniform"),
    )


@attrs.frozen(kw_only=True)
class ResidualMLP:
    """A pre-activation residual MLP; the context gates every block. Flattens events of any rank."""

    hidden: int = field(128, help="Width of the residual stream and of its blocks.", ge=1)
    blocks: int = field(2, help="Number of residual blocks, each of two layers.", ge=0)
    dropout: float = field(0.0, help="Dropout probability inside the blocks, while training.", ge=0.0, lt=1.0)


@attrs.frozen(kw_only=True)
class ConvResNet:
    """A pre-activation residual convolutional network that keeps height and width."""

    channels: int = field(128, help="Channels of the residual stream and of its blocks.", ge=1)
    blocks: int = field(3, help="Number of residual blocks, each of two convolutions.", ge=0)
    kernel: int = field(3, help="Odd side of the kernel in the blocks; the first and last convolution are 1x1.", ge=1)
    norm: str = field(
        "none",
        help="'batch' normalises before each activation; rows of a batch then see each other while training.",
        choices=("none", "batch"),
    )
    init: str = field(
        "zero",
        help="Of the last convolution. zero: the network returns 0 at first, and a coupling with it is the identity. uniform: "
        "weights and bias from U(-1, 1)/sqrt(channels), which is torch's default.",
        choices=("zero", "uniform"),
    )
    last_relu: bool = field(True, help="Apply a ReLU in front of the last convolution, too.")

    def __attrs_post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd number, so that height and width are kept; got {self.kernel}")


# Encoders ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class MLPEncoder:
    """A multilayer perceptron from a raw context of any shape to a vector of features."""

    hidden: tuple[int, ...] = field((128,), help="Widths of the hidden layers.", ge=1)
    out: int = field(64, help="Number of features.", ge=1)


@attrs.frozen(kw_only=True)
class ConvEncoder:
    """Strided convolutions from an image to a vector of features."""

    channels: tuple[int, ...] = field((32, 64), help="Channels of each 3x3 convolution of stride 2.", ge=1)
    out: int = field(64, help="Number of features.", ge=1)
