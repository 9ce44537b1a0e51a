"""Every law over every case, in float64 unless it is about dtypes."""

from typing import Any

import pytest
import torch

from diffeo.testing import (
    check_autocast,
    check_batch_independence,
    check_batch_shapes,
    check_compile,
    check_context,
    check_deepcopy,
    check_dtypes,
    check_finite,
    check_functional_call,
    check_gradients,
    check_jacrev,
    check_log_det,
    check_meta,
    check_normalized,
    check_round_trip,
    check_state,
    check_vmap,
)

BEYOND = 10.0
"""Inputs are scaled by this to leave the usual range: 15 standard deviations of a standard normal, far outside a spline's box."""


def test_round_trip(case: Any) -> None:
    bijector = case.build()
    check_round_trip(bijector, case.inputs(bijector))


def test_log_det(case: Any) -> None:
    bijector = case.build()
    check_log_det(bijector, case.inputs(bijector), preserves_volume=case.preserves_volume)


def test_gradients(case: Any) -> None:
    bijector = case.build()
    check_gradients(bijector, case.inputs(bijector))


def test_finite_beyond_the_usual_range(case: Any) -> None:
    bijector = case.build(torch.float32)
    inputs = case.inputs(bijector, dtype=torch.float32)
    far = inputs._replace(x=BEYOND * inputs.x if case.domain == "real" else inputs.x, y=BEYOND * inputs.y)
    check_finite(bijector, far)


def test_batch_shapes(case: Any) -> None:
    bijector = case.build()
    check_batch_shapes(bijector, case.inputs(bijector))


def test_batch_independence(case: Any) -> None:
    bijector = case.build()
    check_batch_independence(bijector, case.inputs(bijector))


def test_context(context_case: Any) -> None:
    bijector = context_case.build()
    check_context(bijector, context_case.inputs(bijector), outputs=context_case.depends)


def test_dtypes(case: Any) -> None:
    bijector = case.build()
    check_dtypes(bijector, case.inputs(bijector))


def test_autocast(case: Any) -> None:
    bijector = case.build()
    check_autocast(bijector, case.inputs(bijector))


def test_vmap(case: Any) -> None:
    bijector = case.build()
    check_vmap(bijector, case.inputs(bijector))


def test_jacrev(one_each: Any) -> None:
    bijector = one_each.build()
    check_jacrev(bijector, one_each.inputs(bijector))


def test_functional_call(case: Any) -> None:
    bijector = case.build()
    check_functional_call(bijector, case.inputs(bijector))


def test_meta(case: Any) -> None:
    check_meta(case.make, case.inputs(case.make()))


def test_deepcopy(case: Any) -> None:
    bijector = case.build()
    check_deepcopy(bijector, case.inputs(bijector))


def test_state(case: Any) -> None:
    bijector = case.build()
    check_state(bijector, case.make, case.inputs(bijector))


def test_compile(one_each: Any) -> None:
    bijector = one_each.build()
    check_compile(bijector, one_each.inputs(bijector))


@pytest.mark.long
def test_compile_every_case(case: Any) -> None:
    bijector = case.build()
    check_compile(bijector, case.inputs(bijector))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor imports torch's own deprecated code
def test_compile_with_inductor(one_each: Any) -> None:
    bijector = one_each.build()
    check_compile(bijector, one_each.inputs(bijector), backend="inductor")


@pytest.mark.long
def test_every_coupling(product: Any) -> None:
    bijector = product.build()
    inputs = product.inputs(bijector)
    check_round_trip(bijector, inputs)
    check_log_det(bijector, inputs, preserves_volume=product.preserves_volume)
    check_gradients(bijector, inputs)
    check_batch_shapes(bijector, inputs)
    check_vmap(bijector, inputs)
    if product.context_shape is not None:
        check_context(bijector, inputs, outputs=product.depends)


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
