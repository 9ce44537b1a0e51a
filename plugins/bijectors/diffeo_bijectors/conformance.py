"""The cases that every component of this package is tested with, in the grammar of a spec. No torch here."""

from collections.abc import Mapping
from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]

Shape = tuple[int, ...]

VECTOR, CONTEXT = (5,), (3,)
IMAGE = (4, 2, 4)
SMALL_MLP = {"mlp": {"hidden": [8]}}
SMALL_RESIDUAL = {"residual_mlp": {"hidden": 8, "blocks": 1}}
SMALL_CONV = {"conv_resnet": {"channels": 4, "blocks": 1}}
SPLINE = {"rq_spline": {"bins": 4, "bound": 2.0}}
COOL_SPLINE = {"rq_spline": {"bins": 4, "bound": 2.0, "temperature": 4.0}}

UNBOUNDED = {
    "stress": "This scale function is unbounded, as its docstring says: a network that returns 1000 overflows float64 in one "
    "direction. The default of `affine`, `tanh`, is there for that."
}

STARTS_ELSEWHERE = {
    "starts_at_zero": "That is what `init: uniform` asks for: some published flows leave the last layer as torch initialises it."
}

NOT_THE_IDENTITY = {
    "zero_at_zero": "That is what `centered: false` asks for: published flows shrink by sigmoid(shift) at first.",
}


def coupling(
    split: Any,
    transform: Any,
    network: Any,
    shape: Shape,
    *,
    context: bool,
    representative: bool = False,
    known: Mapping[str, str] | None = None,
) -> Case:
    """A coupling of three parts; ``known`` are its expected failures."""
    return Case(
        spec={"coupling": {"split": split, "transform": transform, "network": network}},
        shape=shape,
        context_shape=CONTEXT if context else None,
        representative=representative,
        expected_failures=known or {},
    )


def _autoregressive(transform: Any, *, context: bool, representative: bool = False) -> Case:
    return Case(
        spec={"autoregressive": {"transform": transform, "hidden": [16]}},
        shape=(4,),
        context_shape=CONTEXT if context else None,
        representative=representative,
    )


def _network(spec: Any, in_shape: Shape, out_shape: Shape, context_shape: Shape | None) -> Case:
    return Case(spec=spec, shape=in_shape, out_shape=out_shape, context_shape=context_shape)


LINEAR = [
    Case(spec="actnorm", shape=VECTOR),
    Case(spec="actnorm", shape=IMAGE, context_shape=CONTEXT),
    Case(spec={"actnorm": {"per_element": True}}, shape=(2, 2, 3)),
    Case(spec="reverse", shape=IMAGE),
    Case(spec="reverse", shape=(2,)),
    Case(spec="shuffle", shape=VECTOR, context_shape=CONTEXT),
    Case(spec="shuffle", shape=IMAGE),
    Case(spec={"permutation": {"indices": [2, 0, 4, 1, 3]}}, shape=VECTOR),
    Case(spec={"permutation": {"indices": [1, 3, 0, 2]}}, shape=IMAGE, context_shape=CONTEXT),
    Case(spec="lu_linear", shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"lu_linear": {"init": "uniform", "permute": False}}, shape=VECTOR),
    Case(spec="qr_linear", shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"qr_linear": {"reflections": 3, "init": "uniform"}}, shape=(3,)),
    Case(spec={"qr_linear": {"reflections": 7}}, shape=(4,)),
    *(Case(spec=spec, shape=(1,)) for spec in ("lu_linear", "qr_linear")),
    Case(spec="dense_linear", shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"dense_linear": {"init": "identity"}}, shape=(1,)),
    Case(spec="conv1x1", shape=(1, 2, 2)),
    Case(spec="conv1x1", shape=IMAGE, context_shape=CONTEXT),
    Case(spec={"conv1x1": {"parametrization": "dense"}}, shape=IMAGE, representative=True),
    Case(spec={"conv1x1": {"parametrization": "dense", "init": "identity", "noise": 0.01}}, shape=(3, 2, 2)),
    Case(spec={"conv1x1": {"bias": False}}, shape=IMAGE),
    Case(spec={"conv1x1": {"init": "uniform", "permute": False}}, shape=(3, 2, 2)),
]

PREPROCESSING = [
    Case(spec="squeeze", shape=(3, 4, 2), context_shape=CONTEXT),
    Case(spec={"squeeze": {"factor": 3, "order": "offset"}}, shape=(2, 3, 6)),
    Case(spec="reshape", shape=(2, 2, 3), context_shape=CONTEXT),
    Case(spec={"reshape": {"shape": [2, -1]}}, shape=(6,)),
    Case(spec={"scale_shift": {"scale": 2.0, "shift": -0.5}}, shape=VECTOR, context_shape=CONTEXT),
    Case(
        spec={"scale_shift": {"scale": [1.5, 0.5, -2.0], "shift": [1.0, 0.0, 3.0], "trainable": False}}, shape=(3, 2, 2)
    ),
    Case(spec="logit", shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"logit": {"alpha": 0.05}}, shape=(2, 2, 2)),
    Case(spec="softplus", shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"softplus": {"entries": [0, 3]}}, shape=VECTOR),
    Case(spec="uniform", shape=VECTOR),
    Case(spec="uniform", shape=(2, 2, 3), context_shape=CONTEXT),
]

COUPLINGS = [
    coupling("half", "affine", SMALL_MLP, VECTOR, context=False),
    coupling("half", "additive", SMALL_MLP, VECTOR, context=True),
    coupling("half", SPLINE, SMALL_RESIDUAL, VECTOR, context=True, representative=True),
    coupling({"half": {"swap": True}}, SPLINE, SMALL_MLP, VECTOR, context=False),
    coupling("alternate", "affine", SMALL_RESIDUAL, VECTOR, context=True),
    coupling(
        {"alternate": {"swap": True}},
        {"affine": {"scale": "sigmoid"}},
        SMALL_MLP,
        VECTOR,
        context=False,
        known=UNBOUNDED,
    ),
    coupling("channel", SPLINE, SMALL_CONV, IMAGE, context=True, representative=True),
    coupling(
        {"channel": {"swap": True}},
        {"affine": {"scale": "exp"}},
        SMALL_CONV,
        IMAGE,
        context=False,
        known=UNBOUNDED,
    ),
    coupling("checkerboard", SPLINE, SMALL_RESIDUAL, (2, 2, 4), context=True),
    coupling({"checkerboard": {"swap": True}}, "affine", SMALL_CONV, (1, 4, 4), context=False, representative=True),
]

AUTOREGRESSIVE = [
    _autoregressive("affine", context=True),
    _autoregressive("additive", context=False),
    _autoregressive(SPLINE, context=True),
    _autoregressive(SPLINE, context=False),
]

PARTS = [
    Case(spec="additive"),
    Case(spec="affine"),
    Case(spec={"affine": {"scale": "sigmoid"}}),
    Case(spec=SPLINE),
    Case(spec=COOL_SPLINE),
    Case(spec="exp"),
    Case(spec="tanh"),
    Case(spec="sigmoid"),
    Case(spec={"sigmoid": {"centered": False}}, expected_failures=NOT_THE_IDENTITY),
    Case(spec="half", shape=(2,)),
    Case(spec="half", shape=(7,)),
    Case(spec="alternate", shape=(2,)),
    Case(spec="alternate", shape=(7,)),
    Case(spec="channel", shape=(5,)),
    Case(spec="channel", shape=(4, 2, 2)),
    Case(spec="checkerboard", shape=(1, 2, 2)),
    Case(spec="checkerboard", shape=(3, 4, 6)),
]

NETWORKS = [
    _network("mlp", (3,), (2, 5), (4,)),
    _network({"mlp": {"hidden": []}}, (3,), (2, 5), None),
    _network(SMALL_MLP, (2, 4, 6), (3, 4, 6), (2, 3)),
    _network("separate_mlps", (3,), (2, 5), (4,)),
    _network({"separate_mlps": {"hidden": [8], "networks": 3}}, (2, 4, 6), (3, 4, 6), None),
    Case(
        spec={"separate_mlps": {"hidden": [8], "init": "uniform"}},
        shape=(3,),
        out_shape=(4,),
        expected_failures=STARTS_ELSEWHERE,
    ),
    _network("residual_mlp", (3,), (2, 5), (4,)),
    _network({"residual_mlp": {"hidden": 16, "blocks": 3, "dropout": 0.5}}, (2, 4, 6), (3, 4, 6), None),
    _network(SMALL_CONV, (2, 4, 6), (3, 4, 6), (4,)),
    _network(SMALL_CONV, (2, 4, 6), (3, 4, 6), (1, 4, 6)),
    _network({"conv_resnet": {"channels": 8, "blocks": 1, "kernel": 5}}, (2, 4, 6), (3, 4, 6), None),
    _network({"conv_resnet": {"channels": 8, "blocks": 1, "norm": "batch"}}, (2, 4, 6), (3, 4, 6), (4,)),
    Case(
        spec={"conv_resnet": {"channels": 4, "blocks": 1, "norm": "batch", "init": "uniform", "last_relu": False}},
        shape=(2, 4, 6),
        out_shape=(3, 4, 6),
        expected_failures=STARTS_ELSEWHERE,
    ),
    Case(spec={"mlp_encoder": {"out": 7}}, shape=(3,)),
    Case(spec={"mlp_encoder": {"out": 7}}, shape=(2, 3)),
    Case(spec={"conv_encoder": {"out": 7}}, shape=(1, 8, 8)),
    Case(spec={"conv_encoder": {"out": 7, "channels": [8]}}, shape=(2, 5, 1)),
]

CASES = [*LINEAR, *PREPROCESSING, *COUPLINGS, *AUTOREGRESSIVE, *PARTS, *NETWORKS]
