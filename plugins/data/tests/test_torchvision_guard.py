"""The guard, each time in an interpreter of its own: what it declares stays for the life of a process."""

import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


USE = """
import torch
from torchvision.datasets import FashionMNIST
from torchvision.transforms import v2
from torchvision.utils import make_grid
assert make_grid(torch.zeros(4, 1, 3, 3)).shape == (3, 7, 22)
assert v2.functional.horizontal_flip(torch.tensor([[[1, 2]]])).tolist() == [[[2, 1]]]
"""


@pytest.fixture(scope="session")
def failure():
    """What ``import torchvision`` says here without the guard; empty where it works."""
    plain = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, text=True, check=False)
    return plain.stderr if plain.returncode else ""


def test_torchvision_imports_behind_the_guard():
    run(f"from diffeo_data import guard_torchvision\nguard_torchvision()\nguard_torchvision()\n{USE}")


def test_the_guard_is_active_only_where_it_is_needed(failure):
    declared = run(
        "from diffeo_data.torchvision_guard import _declare_missing_operators\n"
        "print(_declare_missing_operators() is not None)"
    )
    assert declared == str(bool(failure))
    assert not failure or "operator torchvision::nms does not exist" in failure


def test_the_guard_keeps_out_of_the_way_of_another(failure):
    if not failure:
        pytest.skip("needs a torchvision whose compiled part does not load; here it loads and declares its operators")
    code = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from diffeo_data.torchvision_guard import _declare_missing_operators
assert _declare_missing_operators() is None
"""
    run(code + USE)


def test_the_guard_does_nothing_where_the_compiled_part_loads_or_torchvision_is_imported():
    """Stand-ins for a loader that accepts the library, and for torchvision itself."""
    run("""
import sys, types, torch
torch.ops.load_library = lambda path: None
from diffeo_data.torchvision_guard import _declare_missing_operators, guard_torchvision
assert _declare_missing_operators() is None
_declare_missing_operators.cache_clear()
sys.modules["torchvision"] = types.ModuleType("torchvision")
guard_torchvision()
assert _declare_missing_operators.cache_info().currsize == 0
""")
