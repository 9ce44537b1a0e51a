"""The core's own components keep the laws, with steps of diffeo-bijectors in its combinators."""

import pytest

from diffeo.testing import conformance

CHECKS = conformance("diffeo")


@pytest.mark.parametrize("check", [check for check in CHECKS if not check.is_extra], ids=str)
def test_conformance(check):
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in CHECKS if check.is_extra], ids=str)
def test_slow_conformance(check):
    check()
