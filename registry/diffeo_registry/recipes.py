"""Recipes: complete specs inside installed packages, read without importing them."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from diffeo_registry.errors import DiffeoError, PluginError
from diffeo_registry.records import Recipe
from diffeo_registry.sources import package_folder
from diffeo_registry.wording import did_you_mean, listed

if TYPE_CHECKING:
    from diffeo_registry.registry import Registry

__all__ = ["RegisteredRecipe", "find_recipe"]


@attrs.frozen(kw_only=True)
class RegisteredRecipe:
    """A recipe of an installed package."""

    recipe: Recipe
    package: str
    package_version: str = ""

    @property
    def name(self) -> str:
        return self.recipe.name

    def path(self) -> Path:
        """The file of the recipe; ``PluginError`` if its package has lost it."""
        package, _, inside = self.recipe.file.partition(":")
        folder = package_folder(package)
        file = None if folder is None else folder / inside
        if file is None or not file.is_file():
            raise PluginError(
                f"recipe {self.name!r} of {self.package} is to be in {self.recipe.file}; got no such file"
            )
        return file

    def read_text(self) -> str:
        """The text of the spec."""
        return self.path().read_text(encoding="utf-8")


def find_recipe(name: str, registry: "Registry") -> RegisteredRecipe:
    """The recipe ``topic/name``; ``DiffeoError`` if there is none, or if two packages bring it."""
    found = [one for one in registry.recipes if one.name == name]
    if not found:
        hint = did_you_mean(name, {one.name for one in registry.recipes}) or "; see diffeo recipes"
        broken = "".join(f"; {plugin}; see diffeo list --plugins" for plugin in registry.broken)
        raise DiffeoError(f"no recipe named {name!r}{hint}{broken}")
    if len(found) > 1:
        packages = [one.package for one in found]
        disable = f"disable one: DIFFEO_DISABLE={packages[-1]}"
        raise PluginError(f"recipe {name!r} comes with {listed(packages, 'and')}; {disable}")
    return found[0]
