"""Laws that every component obeys: the kit behind ``diffeo conform``, and its checks as plain functions.

A third party's whole test is

    import pytest
    from diffeo.testing import conformance

    @pytest.mark.parametrize("check", conformance("acme-flows"), ids=str)
    def test_conformance(check):
        check()

The functions can be called on their own as well; each raises AssertionError:

    bijector = randomize(diffeo.build("bijector", {"coupling": {}}, shape=(4,)).double())
    inputs = draw_inputs(bijector.in_shape, bijector.out_shape)
    check_round_trip(bijector, inputs)
    check_log_det(bijector, inputs)

Importing this module does not import torch, so that tables of ``Case`` and of ``Law`` can stand anywhere.
"""

from typing import TYPE_CHECKING

from diffeo.capabilities import Capabilities
from diffeo.testing.cases import Case
from diffeo.testing.law import Facts, Law, Suite
from diffeo.testing.tables import BIJECTOR, INVERTIBLE, MAP, RECORD
from diffeo_registry import lazy_names

if TYPE_CHECKING:
    from diffeo.testing.augmenters import CorrelatedNormal, check_augmenter_law, check_strip
    from diffeo.testing.batches import check_batch_independence, check_batch_shapes
    from diffeo.testing.checks import Check, ConformanceWarning, conformance
    from diffeo.testing.contexts import check_context
    from diffeo.testing.densities import (
        check_log_prob_of_samples,
        check_normalized,
        check_sampled_density,
        integral_over_plane,
    )
    from diffeo.testing.differences import check_gradcheck, check_gradgradcheck, check_log_det_by_differences
    from diffeo.testing.dtypes import check_autocast, check_dtypes
    from diffeo.testing.gradients import check_finite, check_gradients
    from diffeo.testing.inputs import DOMAINS, Direction, Inputs, directions, draw_inputs
    from diffeo.testing.inverses import check_log_det, check_round_trip
    from diffeo.testing.modules import check_deepcopy, check_devices, check_meta, check_state
    from diffeo.testing.purity import check_inputs_unchanged, check_repeatable
    from diffeo.testing.random_parameters import randomize
    from diffeo.testing.stress import check_stress
    from diffeo.testing.subject import Subject
    from diffeo.testing.transforms import check_compile, check_functional_call, check_jacrev, check_vmap
    from diffeo.testing.views import OneWay

_HOME = {
    "DOMAINS": "inputs",
    "Check": "checks",
    "ConformanceWarning": "checks",
    "CorrelatedNormal": "augmenters",
    "Direction": "inputs",
    "Inputs": "inputs",
    "OneWay": "views",
    "Subject": "subject",
    "check_augmenter_law": "augmenters",
    "check_autocast": "dtypes",
    "check_batch_independence": "batches",
    "check_batch_shapes": "batches",
    "check_compile": "transforms",
    "check_context": "contexts",
    "check_deepcopy": "modules",
    "check_devices": "modules",
    "check_dtypes": "dtypes",
    "check_finite": "gradients",
    "check_functional_call": "transforms",
    "check_gradcheck": "differences",
    "check_gradgradcheck": "differences",
    "check_gradients": "gradients",
    "check_inputs_unchanged": "purity",
    "check_jacrev": "transforms",
    "check_log_det": "inverses",
    "check_log_det_by_differences": "differences",
    "check_log_prob_of_samples": "densities",
    "check_meta": "modules",
    "check_normalized": "densities",
    "check_repeatable": "purity",
    "check_round_trip": "inverses",
    "check_sampled_density": "densities",
    "check_state": "modules",
    "check_stress": "stress",
    "check_strip": "augmenters",
    "check_vmap": "transforms",
    "conformance": "checks",
    "directions": "inputs",
    "draw_inputs": "inputs",
    "integral_over_plane": "densities",
    "randomize": "random_parameters",
}

__all__ = [
    "BIJECTOR",
    "DOMAINS",
    "INVERTIBLE",
    "MAP",
    "RECORD",
    "Capabilities",
    "Case",
    "Check",
    "ConformanceWarning",
    "CorrelatedNormal",
    "Direction",
    "Facts",
    "Inputs",
    "Law",
    "OneWay",
    "Subject",
    "Suite",
    "check_augmenter_law",
    "check_autocast",
    "check_batch_independence",
    "check_batch_shapes",
    "check_compile",
    "check_context",
    "check_deepcopy",
    "check_devices",
    "check_dtypes",
    "check_finite",
    "check_functional_call",
    "check_gradcheck",
    "check_gradgradcheck",
    "check_gradients",
    "check_inputs_unchanged",
    "check_jacrev",
    "check_log_det",
    "check_log_det_by_differences",
    "check_log_prob_of_samples",
    "check_meta",
    "check_normalized",
    "check_repeatable",
    "check_round_trip",
    "check_sampled_density",
    "check_state",
    "check_stress",
    "check_strip",
    "check_vmap",
    "conformance",
    "directions",
    "draw_inputs",
    "integral_over_plane",
    "randomize",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
