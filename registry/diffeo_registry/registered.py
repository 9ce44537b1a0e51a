"""Components together with the package that brought them, and the classes their records refer to."""

import importlib
from collections.abc import Callable
from functools import reduce
from typing import Any

import attrs

from diffeo_registry.config_types import former_keys
from diffeo_registry.errors import PluginError
from diffeo_registry.names import Name
from diffeo_registry.records import Component
from diffeo_registry.wording import one_line

__all__ = ["Registered", "load_reference"]


@attrs.frozen(kw_only=True)
class Registered:
    """A component of an installed package."""

    component: Component
    package: str
    package_version: str = ""

    @property
    def name(self) -> str:
        return self.component.name

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its former names."""
        return (self.component.name, *self.component.aliases)

    @property
    def version(self) -> int:
        return self.component.version

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.component.kind

    @property
    def qualified(self) -> str:
        """The name that means this component whatever else gets installed: ``diffeo-bijectors/coupling@1``."""
        return str(Name(self.name, package=self.package, version=self.version))

    def load_config(self) -> type[Any]:
        """Import and return the config class, which is torch-free."""
        config = self._load("config", self.component.config)
        if not attrs.has(config):
            raise PluginError(f"the config of {self.qualified}, {self.component.config}, is not an attrs class")
        former_keys(config)  # raises where they contradict its fields
        return config

    def load_implementation(self) -> Callable[..., Any]:
        """Import and return what builds the component: ``implementation(config, *arguments)``."""
        return self._load("implementation", self.component.implementation)

    def _load(self, what: str, reference: str) -> Any:
        try:
            return load_reference(reference)
        except (Exception, SystemExit) as error:
            reason = one_line(f"{type(error).__name__}: {error}")
            raise PluginError(
                f"the {what} of {self.qualified}, {reference}, could not be imported: {reason}"
            ) from error


def load_reference(reference: str) -> Any:
    """Import what ``"package.module:qualified.name"`` names."""
    module, _, qualname = reference.partition(":")
    return reduce(getattr, qualname.split("."), importlib.import_module(module))
