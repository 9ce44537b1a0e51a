"""The tests of the core build flows from a small plugin of their own, on the path while they run and not longer."""

import sys
from pathlib import Path

import pytest

from diffeo_registry import registry

PLUGIN = str(Path(__file__).parent / "plugin")


@pytest.fixture(scope="module", autouse=True)
def parts():
    sys.path.insert(0, PLUGIN)
    registry._installed.cache_clear()
    yield
    sys.path.remove(PLUGIN)
    registry._installed.cache_clear()


@pytest.fixture
def bench(tmp_path):
    """Runs of small specs in a folder of this test."""
    from acme_parts.bench import Bench

    return Bench(tmp_path)
