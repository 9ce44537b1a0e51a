"""The cases that the components are tested with, in the grammar of a spec. No torch here."""

from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]

Shape = tuple[int, ...]

CONTEXT: Shape = (3,)
SMALL_MLP = {"mlp": {"hidden": [8]}}
SMALL_DENSE = {"channels": 4, "layers": 2, "growth": 3}
SMALL_NYSTROM = {"channels": 6, "layers": 1, "growth": 6, "features": 2, "landmarks": 2}
NORMAL = {"conditional_normal": {"network": SMALL_MLP}}

VECTOR_UNIT = ["actnorm", "lu_linear", {"coupling": {"network": SMALL_MLP}}]
IMAGE_UNIT = [
    "actnorm",
    {"conv1x1": {"parametrization": "dense", "bias": False}},
    {"coupling": {"split": "channel", "network": {"nystrom_dense_conv": {**SMALL_NYSTROM, "batch_norm": False}}}},
    {"swap_parts": {"split": "channel"}},
]
VECTORS: dict[str, Any] = {"units": 2, "growth": 1, "steps": VECTOR_UNIT, "distribution": NORMAL}


def _cross_unit(shape: Shape, context_shape: Shape | None = None, *, quick: bool = False, **fields: Any) -> Case:
    return Case(
        spec={"cross_unit": {**VECTORS, **fields}}, shape=shape, context_shape=context_shape, representative=quick
    )


def _network(
    name: str, fields: dict[str, Any], context_shape: Shape | None = None, in_shape: Shape = (2, 4, 2)
) -> Case:
    out_shape = (3, *in_shape[1:])
    return Case(spec={name: fields}, shape=in_shape, out_shape=out_shape, context_shape=context_shape)


AUGMENTERS = [
    _cross_unit((2,), quick=True),
    _cross_unit((2,), CONTEXT, units=3),
    _cross_unit((2,), units=4, reads="last"),
    _cross_unit((3,), units=3, growth=2, distribution="standard_normal", steps=["actnorm", "lu_linear"]),
    _cross_unit((2,), steps=[*VECTOR_UNIT, {"vflow": {"dims": 1, "distribution": NORMAL}}]),
    _cross_unit(
        (2, 1, 2),
        growth=2,
        steps=IMAGE_UNIT,
        distribution={"conditional_normal": {"network": "expanding_conv"}},
    ),
    _cross_unit(
        (2, 1, 2),
        CONTEXT,
        growth=2,
        steps=IMAGE_UNIT,
        distribution={"conditional_normal": {"network": "expanding_conv"}},
    ),
]

NETWORKS = [
    _network("nystrom_dense_conv", SMALL_NYSTROM),
    _network("nystrom_dense_conv", {**SMALL_NYSTROM, "batch_norm": False}, (1, 4, 2)),
    _network("nystrom_dense_conv", {**SMALL_NYSTROM, "attention": "released", "landmarks": 4}, CONTEXT),
    _network("nystrom_dense_conv", {**SMALL_NYSTROM, "attention": "none"}, in_shape=(2, 3, 3)),
    _network("dense_conv", SMALL_DENSE),
    _network("dense_conv", SMALL_DENSE, (2, 4, 2)),
    _network("dense_conv", SMALL_DENSE, CONTEXT),
    _network("expanding_conv", {}),
    _network("expanding_conv", {"expansion": 2}, CONTEXT),
    _network("expanding_conv", {"expansion": 1}, (1, 4, 2)),
    Case(spec={"dense_conv_encoder": SMALL_DENSE}, shape=(3, 4, 2)),
]

CASES = [*AUGMENTERS, *NETWORKS]
