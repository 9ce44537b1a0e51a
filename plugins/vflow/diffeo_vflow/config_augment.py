"""The fields of what draws noise: the augmenter, the dequantization, and the simplest conditional distribution. No torch here."""

from typing import Annotated, Any

import attrs

from diffeo_registry import Slot, field

__all__ = ["ConditionalNormal", "DiagonalLogistic", "VFlow", "Variational"]

Distribution = Annotated[Any, Slot("distribution")]
Encoder = Annotated[Any, Slot("encoder")]
Network = Annotated[Any, Slot("network")]
Scale = Annotated[Any, Slot("scale")]

ENCODER = "Turns x into features first; by default the distribution is given x itself as its context."


@attrs.frozen(kw_only=True)
class VFlow:
    """Appends z, drawn from q(z | x): extra dimensions of a vector, extra channels of an image."""

    dims: int = field(1, help="Dimensions, or channels, to append.", ge=1)
    distribution: Distribution = field(
        "standard_normal",
        help="q(z | x): any distribution whose density is exact; a flow gets x as its context, and `start: base` "
        "makes it sample in one pass.",
    )
    encoder: Encoder | None = field(None, help=ENCODER)


@attrs.frozen(kw_only=True)
class Variational:
    """Adds u in (0, 1), drawn from r(u | x), to integers; r gives the logit of u."""

    distribution: Distribution = field(
        "diagonal_logistic",
        help="r: a distribution of logit(u), u = sigmoid(draw), whose density is exact; a flow gets x, scaled, as its "
        "context. The default starts as uniform noise and learns a location and a scale for every entry.",
    )
    encoder: Encoder | None = field(None, help=ENCODER)
    scale: float = field(1 / 256, help="What r or the encoder sees is scale * x + shift; the default is for bytes.")
    shift: float = field(-0.5, help="Added to scale * x; the default puts bytes in [-0.5, 0.5).")


@attrs.frozen(kw_only=True)
class ConditionalNormal:
    """Independent normals whose locations and scales a network computes from the context."""

    network: Network = field("mlp", help="From the context to raw log-scales and locations.")
    scale: Scale = field("tanh", help="From the raw output to the log-scale; the default is bounded.")


@attrs.frozen(kw_only=True)
class DiagonalLogistic:
    """Independent logistics: a location and a scale for every entry, both trained; at first their sigmoid is uniform."""
