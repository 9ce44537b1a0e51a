"""The cases of the augmenter, the dequantization and the conditional normal, in the grammar of a spec. No torch here."""

from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]

Shape = tuple[int, ...]

CONTEXT: Shape = (3,)
SMALL_MLP = {"mlp": {"hidden": [8]}}
SMALL_CONV = {"conv_resnet": {"channels": 4, "blocks": 1}}
SIGMOID = {"invert": {"steps": [{"logit": {"alpha": 0.0}}]}}
"""The logit of data in (0, 1), run backwards."""


def flow(*steps: Any, **fields: Any) -> Any:
    """A flow that samples in one pass."""
    return {"flow": {"start": "base", "steps": list(steps), **fields}}


def couplings(split: str, network: Any) -> list[Any]:
    """Two couplings, one for each part."""
    return [{"coupling": {"split": {split: {"swap": swap}}, "network": network}} for swap in (False, True)]


VECTORS = flow("actnorm", "lu_linear", *couplings("half", SMALL_MLP))
IMAGES = flow(*couplings("channel", SMALL_CONV))
LOGIT_VECTORS = flow(*couplings("half", SMALL_MLP), base="diagonal_logistic")
LOGIT_IMAGES = flow("actnorm", *couplings("channel", SMALL_CONV), base="diagonal_logistic")
"""Distributions of the logit of u. With logistic tails the weights have a small variance, so that expectations can be tested."""


def _vflow(shape: Shape, context_shape: Shape | None = None, *, quick: bool = False, **fields: Any) -> Case:
    return Case(spec={"vflow": fields}, shape=shape, context_shape=context_shape, representative=quick)


def _variational(shape: Shape, context_shape: Shape | None = None, *, quick: bool = False, **fields: Any) -> Case:
    return Case(spec={"variational": fields}, shape=shape, context_shape=context_shape, representative=quick)


NORMAL = {"conditional_normal": {"network": SMALL_MLP}}

AUGMENTERS = [
    Case(spec="vflow", shape=(2,)),
    _vflow((2, 2, 3), CONTEXT, dims=3),
    _vflow((3,), dims=2, distribution="diagonal_normal"),
    _vflow((2,), distribution=NORMAL),
    _vflow((2, 2), (2,), distribution=NORMAL, encoder="mlp_encoder"),
    _vflow((2,), dims=2, distribution=VECTORS, quick=True),
    _vflow((3,), dims=2, distribution=flow(*couplings("half", SMALL_MLP), start="data")),
    _vflow((2,), CONTEXT, dims=3, distribution=VECTORS),
    _vflow((2,), dims=2, distribution=flow(*couplings("half", SMALL_MLP), SIGMOID)),
    _vflow((1, 2, 2), dims=2, distribution=IMAGES, quick=True),
    _vflow((1, 2, 2), CONTEXT, distribution={"conditional_normal": {"network": SMALL_CONV}}),
    _vflow((1, 2, 2), (2, 2, 2), dims=2, distribution=IMAGES),
]

DEQUANTIZATIONS = [
    Case(spec="variational", shape=(3,)),
    _variational((2, 2, 2), CONTEXT),
    _variational((3,), CONTEXT, distribution=LOGIT_VECTORS, scale=0.1, shift=0.0),
    _variational((2, 2, 2), distribution=LOGIT_IMAGES, quick=True),
    _variational((3,), distribution=LOGIT_VECTORS, encoder="mlp_encoder"),
]

DISTRIBUTIONS = [
    Case(spec=NORMAL, shape=(2,), context_shape=CONTEXT),
    Case(
        spec={"conditional_normal": {"network": SMALL_CONV, "scale": {"tanh": {"bound": 3.0}}}},
        shape=(2, 2, 4),
        context_shape=(1, 2, 4),
    ),
    Case(spec="diagonal_logistic", shape=(2,)),
    Case(spec="diagonal_logistic", shape=(2, 3), context_shape=CONTEXT),
]

CASES = [*AUGMENTERS, *DEQUANTIZATIONS, *DISTRIBUTIONS]
