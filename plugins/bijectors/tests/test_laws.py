"""Every component keeps the laws of its kind; densities of whole flows integrate to one."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from diffeo.testing import Check, check_compile, check_normalized, conformance
from diffeo_bijectors.conformance import SMALL_CONV, SMALL_MLP, SMALL_RESIDUAL, SPLINE, VECTOR, coupling

CHECKS = conformance("diffeo-bijectors")


@pytest.mark.parametrize("check", [check for check in CHECKS if not check.is_extra], ids=str)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in CHECKS if check.is_extra], ids=str)
def test_slow_conformance(check: Check) -> None:
    check()


COMPILED = [
    check for check in CHECKS if check.law.name == "compile" and check.kind == "bijector" and not check.is_extra
]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor imports torch's own deprecated code
@pytest.mark.parametrize("check", COMPILED, ids=str)
def test_compile_with_inductor(check: Check, tmp_path: Path) -> None:
    subject = check.subject(tmp_path)
    bijector = subject.map()
    check_compile(bijector, subject.inputs(bijector), backend="inductor")


PRODUCT = [
    *(
        coupling({split: {"swap": swap}}, transform, network, VECTOR, context=context)
        for split, transform, network, context, swap in itertools.product(
            ("half", "alternate"),
            ("additive", "affine", SPLINE),
            (SMALL_MLP, SMALL_RESIDUAL),
            (False, True),
            (False, True),
        )
    ),
    *(
        coupling({split: {"swap": swap}}, transform, network, (2, 2, 4), context=context)
        for split, transform, network, context, swap in itertools.product(
            ("channel", "checkerboard"),
            ("additive", {"affine": {"scale": "exp"}}, SPLINE),
            (SMALL_MLP, SMALL_RESIDUAL, SMALL_CONV),
            (False, True),
            (False, True),
        )
    ),
]
DECISIVE = {"round_trip", "log_det", "gradients", "batch_shapes", "vmap", "context"}
EVERY_COUPLING = [check for check in conformance("bijector/coupling", cases=PRODUCT) if check.law.name in DECISIVE]


@pytest.mark.long
@pytest.mark.parametrize("check", EVERY_COUPLING, ids=str)
def test_every_coupling(check: Check) -> None:
    check()


PLANE: list[Any] = [
    ["actnorm", "lu_linear", "reverse"],
    ["qr_linear", {"scale_shift": {"scale": 1.5}}],
    [{"coupling": {"transform": "affine", "network": {"mlp": {"hidden": [8]}}}}, "reverse", "actnorm"],
    [{"coupling": {"transform": "rq_spline", "network": {"mlp": {"hidden": [8]}}}}, "shuffle", "lu_linear"],
    [{"autoregressive": {"transform": "rq_spline", "hidden": [8]}}, "reverse", {"autoregressive": {"hidden": [8]}}],
]


@pytest.mark.parametrize("steps", PLANE, ids=[str(index) for index in range(len(PLANE))])
def test_density_on_the_plane_integrates_to_one(steps: Any, make_flow: Any) -> None:
    check_normalized(make_flow(steps, (2,)).log_prob, x=(-12.0, 12.0), y=(-12.0, 12.0), points=600)


def test_density_on_the_unit_square_integrates_to_one(make_flow: Any) -> None:
    flow = make_flow([{"logit": {"alpha": 0.0}}, "lu_linear"], (2,))
    check_normalized(flow.log_prob, x=(0.0, 1.0), y=(0.0, 1.0))


def test_density_on_the_positive_quadrant_integrates_to_one(make_flow: Any) -> None:
    flow = make_flow(["softplus", "actnorm"], (2,))
    check_normalized(flow.log_prob, x=(0.0, 15.0), y=(0.0, 15.0), points=800)
