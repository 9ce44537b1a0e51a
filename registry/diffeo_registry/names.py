"""Names of components in a spec: ``[package/]name[@version]``, as in ``loft``, ``loft@1`` and ``acme-flows/rqs@2``."""

import re

import attrs

from diffeo_registry.errors import DiffeoError

__all__ = ["Name", "normalized_package"]

_NAME = re.compile(
    r"(?:(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)/)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:@(?P<version>[1-9][0-9]*))?"
)


def normalized_package(package: str) -> str:
    """The one spelling of a package's name that all of pip's agree on: ``Acme_Flows`` -> ``acme-flows``."""
    return re.sub(r"[-_.]+", "-", package).lower()


@attrs.frozen
class Name:
    """A component's name as written; ``package`` and ``version`` are None where they are left out.

    >>> Name.parse("acme-flows/rqs@2")
    Name(name='rqs', package='acme-flows', version=2)
    >>> str(Name.parse("loft@1"))
    'loft@1'
    """

    name: str
    package: str | None = None
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Read a name; raises ``DiffeoError`` for anything else."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise DiffeoError(f"expected a name as [package/]name[@version]; got {text!r}")
        package, version = match["package"], match["version"]
        return cls(
            name=match["name"],
            package=None if package is None else normalized_package(package),
            version=None if version is None else int(version),
        )

    def __str__(self) -> str:
        package = "" if self.package is None else f"{self.package}/"
        version = "" if self.version is None else f"@{self.version}"
        return f"{package}{self.name}{version}"
