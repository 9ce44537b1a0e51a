"""The cases that the core's own components are tested with. No torch here.

A combinator is nothing without steps, and the core has none: these cases name steps of diffeo-bijectors, and are left out
where it is not installed.
"""

from typing import Any

from diffeo.testing.cases import Case

__all__ = ["CASES"]

BIJECTORS = ("diffeo-bijectors",)
COUPLING = {"coupling": {"network": {"mlp": {"hidden": [8]}}}}
CHANNELS = {"coupling": {"split": "channel", "network": {"mlp": {"hidden": [8]}}}}


def _case(spec: Any, shape: tuple[int, ...], *, context: bool = False) -> Case:
    return Case(spec=spec, shape=shape, context_shape=(3,) if context else None, needs=BIJECTORS)


COMBINATORS = [
    _case({"chain": {"steps": ["actnorm", COUPLING, "reverse"]}}, (4,), context=True),
    _case({"chain": {"steps": ["logit", "lu_linear"]}}, (3,)),
    Case(spec={"chain": {"steps": []}}, shape=(2, 3)),
    _case({"repeat": {"times": 2, "steps": [COUPLING, "lu_linear"]}}, (5,), context=True),
    _case({"repeat": {"times": 2, "steps": ["squeeze", "actnorm"]}}, (1, 4, 4)),
    _case({"invert": {"steps": ["actnorm", COUPLING]}}, (4,), context=True),
    _case({"invert": {"steps": [{"autoregressive": {"hidden": [8]}}]}}, (3,)),
    _case({"factor_out": {"steps": [COUPLING]}}, (5,), context=True),
    _case({"factor_out": {"steps": ["actnorm", "conv1x1"], "keep": "first"}}, (4, 2, 2)),
    Case(spec="factor_out", shape=(3,)),
    _case({"multiscale": {"levels": 2, "steps": ["squeeze", "actnorm", CHANNELS]}}, (1, 4, 4), context=True),
    _case({"multiscale": {"levels": 3, "steps": ["lu_linear"], "keep": "first"}}, (7,)),
]

FLOWS = [
    _case({"flow": {"steps": [COUPLING, "lu_linear"], "base": "diagonal_normal"}}, (4,), context=True),
    _case({"flow": {"steps": [COUPLING, "reverse", "actnorm"], "start": "base"}}, (2,)),
    _case({"flow": {"steps": ["softplus", "actnorm"]}}, (2,)),
    _case(
        {"flow": {"steps": ["actnorm", COUPLING], "context_network": {"mlp_encoder": {"out": 4}}}}, (4,), context=True
    ),
    _case({"flow": {"steps": [{"scale_shift": {"scale": 0.1}}], "dequantization": "uniform"}}, (2, 2, 2)),
    Case(spec={"flow": {"base": "diagonal_normal"}}, shape=(2, 4)),
]

ENCODERS = [_case({"shared": {"name": "features", "encoder": {"mlp_encoder": {"out": 4}}}}, (3,))]

OBJECTIVES = [
    Case(spec="maximum_likelihood"),
    Case(
        spec={"maximum_likelihood": {"units": "bits_per_dim"}},
        model={"flow": {"steps": [COUPLING], "base": "diagonal_normal"}},
        needs=BIJECTORS,
    ),
]

OPTIMIZERS = [
    Case(spec="adam"),
    Case(spec={"adam": {"fused": False, "weight_decay": 0.1}}),
    Case(spec="adamw"),
    Case(spec="adamax"),
    Case(spec="sgd"),
    Case(spec={"sgd": {"momentum": 0.9, "nesterov": True, "fused": False}}),
]

SCHEDULES = [
    Case(spec="constant"),
    Case(spec={"cosine": {"warmup": 10, "final": 0.1}}),
    Case(spec={"exponential": {"gamma": 0.9}}),
    Case(spec={"step": {"milestones": [10, 20]}}),
]

NOT_ALONE = "It stands for a target that Python hands over with the spec, and cannot be built of the spec alone."
GIVEN = [Case(spec="given", expected_failures={"builds": NOT_ALONE})]

CASES = [*COMBINATORS, *FLOWS, *ENCODERS, *OBJECTIVES, *OPTIMIZERS, *SCHEDULES, *GIVEN]
