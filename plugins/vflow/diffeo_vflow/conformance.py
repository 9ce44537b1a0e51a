"""The cases of the Flow++ parts, in the grammar of a spec. No torch here."""

from collections.abc import Mapping
from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]

Shape = tuple[int, ...]

IMAGE: Shape = (4, 2, 4)
DENSE = {"conv1x1": {"parametrization": "dense", "init": "identity", "noise": 0.01, "bias": False}}
MIXTURE = {"mixture_logistic": {"components": 3}}

BOUNDED = dict.fromkeys(
    ("round_trip", "dtypes", "jacrev"),
    "With a margin the image is an interval, as the docstring says: values drawn from all of R are clipped to its end, which "
    "is constant in them and as wide as the dtype resolves.",
)
NOT_THE_IDENTITY = {"identity_at_zero": "With a margin, as in VFlow, no parameters make it the identity."}

FROM_DATA = {
    "starts_at_zero": "As in Flow++ the output starts with standard deviation `init_scale`; with 0 it starts at zero."
}


def network(fields: Mapping[str, Any], context_shape: Shape | None = None, out_shape: Shape = (3, 4, 2)) -> Case:
    """A small network."""
    zero = fields.get("init_scale") == 0
    return Case(
        spec={"gated_conv_attention": {"channels": 4, "blocks": 1, "heads": 2, **fields}},
        shape=(2, 4, 2),
        out_shape=out_shape,
        context_shape=context_shape,
        expected_failures={} if zero else FROM_DATA,
    )


MIXTURES = [
    Case(spec={"mixture_logistic": {"components": 4}}),
    Case(spec={"mixture_logistic": {"components": 2, "scale": "exp"}}),
    Case(
        spec={"mixture_logistic": {"components": 3, "margin": 0.05}},
        expected_failures={**BOUNDED, **NOT_THE_IDENTITY},
    ),
]

NETWORKS = [
    network({"init_scale": 0}, (1, 4, 2)),
    network({"blocks": 2}),
    network({"attention": False, "last_elu": True}, (3,)),
    network({"weight_norm": True, "init_scale": 0}, (1, 4, 2)),
    Case(spec={"gated_conv_encoder": {"channels": 4, "blocks": 1}}, shape=(3, 2, 4)),
    Case(
        spec={"gated_conv_encoder": {"split": "channel", "channels": 4, "attention": True, "weight_norm": True}},
        shape=(2, 2, 3),
    ),
]

PARTS = [
    Case(spec="column", shape=(1, 1, 2)),
    Case(spec="column", shape=(3, 4, 6)),
    Case(spec={"first_channels": {"count": 1}}, shape=(2,)),
    Case(spec="first_channels", shape=(4, 2, 2)),
    Case(spec={"each_part": {"split": "column", "step": DENSE}}, shape=IMAGE, context_shape=(3,)),
    Case(spec={"each_part": {"split": {"first_channels": {"count": 1}}, "step": "actnorm"}}, shape=(3, 2, 2)),
    Case(spec={"each_part": {"split": "half", "step": "lu_linear"}}, shape=(4,)),
    Case(spec="swap_parts", shape=IMAGE, context_shape=(3,)),
    Case(spec={"swap_parts": {"split": "column"}}, shape=(1, 2, 4)),
]

COUPLINGS = [
    Case(
        spec={
            "coupling": {
                "split": "column",
                "transform": MIXTURE,
                "network": {"gated_conv_attention": {"channels": 4, "blocks": 1, "heads": 1}},
            }
        },
        shape=(1, 2, 4),
        context_shape=(2, 2, 2),
    ),
]

CASES = [*MIXTURES, *NETWORKS, *PARTS]
