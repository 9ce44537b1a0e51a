"""The parts of Flow++ keep the laws of their kinds, alone and in a coupling as Flow++ has it."""

import pytest

from diffeo.testing import Check, conformance
from diffeo_vflow.conformance import COUPLINGS

KINDS = ("elementwise/mixture_logistic", "network/gated_conv_attention", "encoder/gated_conv_encoder")
PARTS = ("split/column", "split/first_channels", "bijector/each_part", "bijector/swap_parts")
CHECKS = [check for name in (*KINDS, *PARTS) for check in conformance(name)]
COUPLED = conformance("bijector/coupling", cases=COUPLINGS)


@pytest.mark.parametrize("check", [check for check in (*CHECKS, *COUPLED) if not check.is_extra], ids=str)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in (*CHECKS, *COUPLED) if check.is_extra], ids=str)
def test_slow_conformance(check: Check) -> None:
    check()
