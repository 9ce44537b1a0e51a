"""torchvision beside a build of torch that its compiled part does not fit.

The torchvision wheel of the package index is compiled against the CUDA build of torch. Beside a CPU build its library
``_C`` does not load; torchvision itself tolerates that, except that it registers shape rules for two operators which
``_C`` would have declared, so ``import torchvision`` fails with "operator torchvision::nms does not exist". Declaring
the two schemas is enough for data sets, transforms, models and grids; only the operators themselves (non-maximum
suppression) stay unusable, as they would be.

Whether this is needed is found out before the import, because a failed one leaves half-made modules behind. Where
``_C`` loads, or torchvision is imported already, nothing is declared.
"""

import importlib.machinery
import importlib.util
import sys
from functools import cache

import torch

__all__ = ["guard_torchvision"]

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def guard_torchvision() -> None:
    """Make ``import torchvision`` work beside a CPU build of torch too; call it before the import, any number of times.

    >>> guard_torchvision()
    >>> from torchvision.datasets import FashionMNIST
    """
    if "torchvision" not in sys.modules:
        _declare_missing_operators()


@cache  # keeps the Library alive: its declarations go when it is collected
def _declare_missing_operators() -> torch.library.Library | None:
    if _compiled_part_loads() or _is_declared("nms"):
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(name + SCHEMA)
    return library


def _compiled_part_loads() -> bool:
    """Try what torchvision does at import: find ``_C`` in its folder and load it into torch."""
    package = importlib.util.find_spec("torchvision")
    if package is None or not package.submodule_search_locations:
        return True  # no torchvision: its import says so better than we could
    loader = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    library = importlib.machinery.FileFinder(package.submodule_search_locations[0], loader).find_spec("_C")
    if library is None or library.origin is None:
        return False
    try:
        torch.ops.load_library(library.origin)
    except OSError:
        return False
    return True


def _is_declared(name: str) -> bool:
    try:
        getattr(torch.ops.torchvision, name)
    except AttributeError:
        return False
    return True
