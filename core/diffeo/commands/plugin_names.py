"""Names of a new plugin: what must not clash is found out before anything is written."""

import builtins
import importlib.metadata
import importlib.util
import keyword
import re
import sys
from collections.abc import Collection
from pathlib import Path

from diffeo_registry import DiffeoError, Registry
from diffeo_registry.catalogue import CATALOGUE, package_of
from diffeo_registry.names import normalized_package
from diffeo_registry.wording import did_you_mean, listed

__all__ = ["check_component", "check_package", "check_start", "class_of", "module_of"]

TAKEN = {"config", "plugin"}
"""Modules of the new package itself."""

IMPORTED = {"Dataset", "Tensor"}
"""Classes that the component's file imports by name, or that its config class would read like."""


def module_of(package: str) -> str:
    """``acme-flows`` -> ``acme_flows``."""
    return package.replace("-", "_")


def class_of(name: str) -> str:
    """``sinh_asinh`` -> ``SinhAsinh``."""
    return "".join(word.capitalize() for word in name.split("_"))


def check_start(kind: str, known: Collection[str]) -> str:
    """A kind that there is an example of."""
    if kind not in known:
        raise DiffeoError(f"--kind: expected {listed(known)}; got {kind!r}{did_you_mean(kind, known)}")
    return kind


def check_package(package: str) -> None:
    """Raise unless pip can install a package of this name, and Python import it, beside everything that is there."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", package):
        proper = re.sub(r"[^a-z0-9]+", "-", package.lower()).strip("-")
        hint = f"; did you mean {proper!r}?" if proper[:1].isalpha() else ""
        raise DiffeoError(
            f"expected the name of a package in small letters, digits and single hyphens; got {package!r}{hint}"
        )
    module = module_of(package)
    why = _why_not_a_module(package, module)
    if why:
        raise DiffeoError(f"expected the name of a package that is not taken; got {package!r}: {why}")


def _why_not_a_module(package: str, module: str) -> str:
    """Why a package may not be called so; empty if it may."""
    if keyword.iskeyword(module):
        return f"{module} is a word of the Python language"
    if module in sys.stdlib_module_names:
        return f"{module} is a module of Python's own"
    if module == "tests":
        return "the package's tests stand in a folder of that name"
    if package in CATALOGUE:
        return f"{package} is a package of diffeo"
    if _is_installed(package) or _is_importable(module):
        return f"{module} is installed"
    return ""


def _is_installed(package: str) -> bool:
    return any(
        normalized_package(name) == package
        for one in importlib.metadata.distributions()
        if (name := one.metadata["Name"])  # a folder that pip left half removed has none
    )


def _is_importable(module: str) -> bool:
    """Whether ``import module`` finds anything but a folder of that name in the working directory."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is not None:
        return found is not None
    folders = found.submodule_search_locations or ()
    return any(Path(folder).resolve().parent != Path.cwd() for folder in folders)


def check_component(name: str, registry: Registry) -> str:
    """The name of a component that is a module and a class, and that no other component has."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        proper = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
        hint = f"; did you mean {proper!r}?" if proper[:1].isalpha() else ""
        raise DiffeoError(f"--name: expected small letters, digits and single underscores; got {name!r}{hint}")
    why = _why_not_a_component(name, registry)
    if why:
        raise DiffeoError(f"--name: expected a name that is not taken; got {name!r}: {why}")
    return name


def _why_not_a_component(name: str, registry: Registry) -> str:
    """Why a component may not be called so; empty if it may."""
    if keyword.iskeyword(name):
        return f"{name} is a word of the Python language"
    if name in TAKEN or hasattr(builtins, class_of(name)) or class_of(name) in IMPORTED:
        return "the package needs it for something else"
    package = next((one.package for one in registry.components if name in one.names), "")
    package = package or package_of(name, list(registry.kinds)) or ""
    return f"{package} brings a component of that name" if package else ""
