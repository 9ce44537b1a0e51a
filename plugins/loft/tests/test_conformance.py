"""Every component keeps the laws of its kind."""

import pytest

from diffeo.testing import Check, conformance

CHECKS = conformance("diffeo-loft")


@pytest.mark.parametrize("check", [check for check in CHECKS if not check.is_extra], ids=str)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in CHECKS if check.is_extra], ids=str)
def test_slow_conformance(check: Check) -> None:
    check()
