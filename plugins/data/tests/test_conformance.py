"""Every data set keeps the promises of its protocol."""

import pytest

from diffeo.testing import Check, conformance


def is_quick(check: Check) -> bool:
    """Another process takes seconds to import torch: one data set of each sort is enough for every day."""
    return not check.law.is_slow or check.component.name in ("two_moons", "csv")


CHECKS = conformance("diffeo-data")


@pytest.mark.parametrize("check", [check for check in CHECKS if is_quick(check)], ids=str)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in CHECKS if not is_quick(check)], ids=str)
def test_slow_conformance(check: Check) -> None:
    check()
