"""The parts of DenseFlow keep the laws of their kinds."""

import pytest

from diffeo.testing import Check, conformance

NETWORKS = ("network/nystrom_dense_conv", "network/dense_conv", "network/expanding_conv")
NAMES = ("augmenter/cross_unit", *NETWORKS, "encoder/dense_conv_encoder")
CHECKS = [check for name in NAMES for check in conformance(name)]


@pytest.mark.parametrize("check", [check for check in CHECKS if not check.is_extra], ids=str)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in CHECKS if check.is_extra], ids=str)
def test_slow_conformance(check: Check) -> None:
    check()
