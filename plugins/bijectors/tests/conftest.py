"""The table of cases: every component of this package in the grammar of a spec, with the shapes it is built for.

A test that takes ``case`` runs over the whole table, ``one_each`` over one case per component, ``context_case`` over those
with a context, ``product`` over all combinations of a coupling's parts.
"""

import itertools
from typing import Any

import attrs
import pytest
import torch

import diffeo
from diffeo.testing import Inputs, draw_inputs, randomize

Shape = tuple[int, ...]

VECTOR, CONTEXT = (5,), (3,)
IMAGE = (4, 2, 4)
SMALL_MLP = {"mlp": {"hidden": [8]}}
SMALL_RESIDUAL = {"residual_mlp": {"hidden": 8, "blocks": 1}}
SMALL_CONV = {"conv_resnet": {"channels": 4, "blocks": 1}}
SPLINE = {"rq_spline": {"bins": 4, "bound": 2.0}}


@attrs.frozen(kw_only=True)
class Case:
    """A spec with shapes, and what is known of it."""

    spec: Any
    shape: Shape = VECTOR
    context_shape: Shape | None = None
    domain: str = "real"
    image: str = "real"
    preserves_volume: bool = False
    depends: str = "none"
    """Which outputs a context moves: all, some or none."""
    compiled: bool = False
    """Whether it stands for its component in the checks that take long."""
    kind: str = "bijector"

    @property
    def id(self) -> str:
        return f"{_short(self.spec)}-{'x'.join(map(str, self.shape))}" + (
            "" if self.context_shape is None else "-context"
        )

    def make(self) -> Any:
        """A fresh instance."""
        return diffeo.build(self.kind, self.spec, shape=self.shape, context_shape=self.context_shape)

    def build(self, dtype: torch.dtype = torch.float64, seed: int = 0) -> Any:
        """An instance at non-trivial random parameters, always the same."""
        torch.manual_seed(100 + seed)
        return randomize(self.make(), seed).to(dtype).eval()

    def inputs(self, bijector: Any, **arguments: Any) -> Inputs:
        """Inputs from the data side, from the latent side, and a context."""
        shapes = bijector.in_shape, bijector.out_shape, self.context_shape
        return draw_inputs(*shapes, domain=self.domain, image=self.image, **arguments)


def _short(spec: Any) -> str:
    """``{"coupling": {"split": "half", "network": {"mlp": {...}}}}`` -> ``coupling(half,mlp)``."""
    if isinstance(spec, str):
        return spec
    ((name, fields),) = spec.items()
    return f"{name}({','.join(_value(value) for value in fields.values())})"


def _value(value: Any) -> str:
    return next(iter(value)) if isinstance(value, dict) else str(value).replace(" ", "")


def _coupling(split: str, transform: Any, network: Any) -> dict[str, Any]:
    return {"coupling": {"split": split, "transform": transform, "network": network}}


def _coupling_case(
    split: Any, transform: Any, network: Any, shape: Shape, *, context: bool, compiled: bool = False
) -> Case:
    return Case(
        spec=_coupling(split, transform, network),
        shape=shape,
        context_shape=CONTEXT if context else None,
        preserves_volume=transform == "additive",
        depends="some",
        compiled=compiled,
    )


def _autoregressive(transform: Any, *, context: bool, compiled: bool = False) -> Case:
    return Case(
        spec={"autoregressive": {"transform": transform, "hidden": [16]}},
        shape=(4,),
        context_shape=CONTEXT if context else None,
        preserves_volume=transform == "additive",
        depends="all",
        compiled=compiled,
    )


LINEAR = [
    Case(spec="actnorm", compiled=True),
    Case(spec="actnorm", shape=IMAGE, context_shape=CONTEXT),
    Case(spec={"actnorm": {"per_element": True}}, shape=(2, 2, 3)),
    Case(spec="reverse", shape=IMAGE, preserves_volume=True, compiled=True),
    Case(spec="shuffle", context_shape=CONTEXT, preserves_volume=True, compiled=True),
    Case(spec="shuffle", shape=IMAGE, preserves_volume=True),
    Case(spec={"permutation": {"indices": [2, 0, 4, 1, 3]}}, preserves_volume=True, compiled=True),
    Case(spec={"permutation": {"indices": [1, 3, 0, 2]}}, shape=IMAGE, preserves_volume=True),
    Case(spec="lu_linear", context_shape=CONTEXT, compiled=True),
    Case(spec={"lu_linear": {"init": "uniform", "permute": False}}),
    Case(spec="qr_linear", context_shape=CONTEXT, compiled=True),
    Case(spec={"qr_linear": {"reflections": 3, "init": "uniform"}}, shape=(3,)),
    Case(spec={"qr_linear": {"reflections": 7}}, shape=(4,)),
    Case(spec="conv1x1", shape=IMAGE, context_shape=CONTEXT, compiled=True),
    Case(spec={"conv1x1": {"parametrization": "dense"}}, shape=IMAGE, compiled=True),
    Case(spec={"conv1x1": {"parametrization": "dense", "init": "identity", "noise": 0.01}}, shape=(3, 2, 2)),
    Case(spec={"conv1x1": {"init": "uniform", "permute": False}}, shape=(3, 2, 2)),
]

PREPROCESSING = [
    Case(spec="squeeze", shape=(3, 4, 2), context_shape=CONTEXT, preserves_volume=True, compiled=True),
    Case(spec={"squeeze": {"factor": 3, "order": "offset"}}, shape=(2, 3, 6), preserves_volume=True),
    Case(spec="reshape", shape=(2, 2, 3), context_shape=CONTEXT, preserves_volume=True, compiled=True),
    Case(spec={"reshape": {"shape": [2, -1]}}, shape=(6,), preserves_volume=True),
    Case(spec={"scale_shift": {"scale": 2.0, "shift": -0.5}}, context_shape=CONTEXT, compiled=True),
    Case(
        spec={"scale_shift": {"scale": [1.5, 0.5, -2.0], "shift": [1.0, 0.0, 3.0], "trainable": False}}, shape=(3, 2, 2)
    ),
    Case(spec="logit", domain="unit", context_shape=CONTEXT, compiled=True),
    Case(spec={"logit": {"alpha": 0.05}}, shape=(2, 2, 2), domain="unit"),
    Case(spec="softplus", domain="positive", context_shape=CONTEXT, compiled=True),
]

COUPLINGS = [
    _coupling_case("half", "additive", SMALL_MLP, VECTOR, context=True),
    _coupling_case("half", "affine", SMALL_MLP, VECTOR, context=False, compiled=True),
    _coupling_case("half", SPLINE, SMALL_RESIDUAL, VECTOR, context=True, compiled=True),
    _coupling_case({"half": {"swap": True}}, SPLINE, SMALL_MLP, VECTOR, context=False),
    _coupling_case("alternate", "affine", SMALL_RESIDUAL, VECTOR, context=True),
    _coupling_case({"alternate": {"swap": True}}, {"affine": {"scale": "sigmoid"}}, SMALL_MLP, VECTOR, context=False),
    _coupling_case("channel", SPLINE, SMALL_CONV, IMAGE, context=True, compiled=True),
    _coupling_case({"channel": {"swap": True}}, {"affine": {"scale": "exp"}}, SMALL_CONV, IMAGE, context=False),
    _coupling_case("checkerboard", SPLINE, SMALL_RESIDUAL, (2, 2, 4), context=True),
    _coupling_case({"checkerboard": {"swap": True}}, "affine", SMALL_CONV, (1, 4, 4), context=False, compiled=True),
]

AUTOREGRESSIVE = [
    _autoregressive("additive", context=False),
    _autoregressive("affine", context=True, compiled=True),
    _autoregressive(SPLINE, context=True),
    _autoregressive(SPLINE, context=False),
]

CASES = [*LINEAR, *PREPROCESSING, *COUPLINGS, *AUTOREGRESSIVE]

PRODUCT = [
    *(
        _coupling_case({split: {"swap": swap}}, transform, network, VECTOR, context=context)
        for split, transform, network, context, swap in itertools.product(
            ("half", "alternate"),
            ("additive", "affine", SPLINE),
            (SMALL_MLP, SMALL_RESIDUAL),
            (False, True),
            (False, True),
        )
    ),
    *(
        _coupling_case({split: {"swap": swap}}, transform, network, (2, 2, 4), context=context)
        for split, transform, network, context, swap in itertools.product(
            ("channel", "checkerboard"),
            ("additive", {"affine": {"scale": "exp"}}, SPLINE),
            (SMALL_MLP, SMALL_RESIDUAL, SMALL_CONV),
            (False, True),
            (False, True),
        )
    ),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise by the name of the argument."""
    tables = {
        "case": CASES,
        "one_each": [case for case in CASES if case.compiled],
        "context_case": [case for case in CASES if case.context_shape is not None],
        "product": PRODUCT,
    }
    for name, table in tables.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, table, ids=[case.id for case in table])


@pytest.fixture
def make_flow() -> Any:
    """A function that builds a flow of steps in float64 at random parameters."""

    def make(steps: Any, shape: Shape) -> Any:
        torch.manual_seed(3)
        spec = {"flow": {"steps": steps, "base": "standard_normal"}}
        return randomize(diffeo.build("model", spec, shape=shape), seed=1, scale=0.3).double().eval()

    return make
