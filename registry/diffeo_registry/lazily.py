"""Names of a package that are imported when they are first used, so that importing the package stays cheap."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names live in the submodules that ``home`` says.

        __getattr__, __dir__ = lazy_names(__name__, {"LeakyBijector": "leaky"})

    Names that need torch stay out of the way of whoever lists or validates. A type checker wants to see them imported under
    ``if TYPE_CHECKING`` besides.
    """

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return get, names
