"""The files of a new plugin: an example of each kind, rendered and written as a whole or not at all."""

import datetime
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined

from diffeo import __version__
from diffeo.commands.plugin_names import class_of, module_of
from diffeo_registry import PLUGIN_API, DiffeoError

__all__ = ["STARTS", "Start", "render_package", "write_package"]

BOUNDS = {"attrs": ">=23.2", "numpy": ">=1.26", "torch": ">=2.6"}
"""The oldest versions that diffeo itself is tested with."""

TEMPLATES = "templates/plugin"


@attrs.frozen(kw_only=True)
class Start:
    """What a new plugin starts from: an example of its kind."""

    kind: str
    name: str
    summary: str
    source: str
    imports: tuple[str, ...] = ("attrs", "torch")
    """What its code imports besides diffeo."""

    @property
    def protocol(self) -> str:
        """The base class of its implementation; also the end of that class's name."""
        return class_of(self.kind)

    @property
    def has_own_test(self) -> bool:
        """Whether the example knows more of itself than ``diffeo.testing`` can: the exact log-marginal of the target."""
        return self.kind == "target"


_STARTS = (
    Start(
        kind="bijector",
        name="sinh_asinh",
        summary="Sinh-arcsinh map of each entry: skew and tails.",
        source="Jones and Pewsey 2009, doi:10.1093/biomet/asp053",
    ),
    Start(
        kind="augmenter",
        name="conditional_noise",
        summary="Appends normal noise whose mean and spread follow x.",
        source="Chen et al. 2020, arXiv:2002.09741",
    ),
    Start(
        kind="objective",
        name="lq_likelihood",
        summary="Maximum Lq-likelihood: outliers count less.",
        source="Ferrari and Yang 2010, doi:10.1214/09-AOS687",
    ),
    Start(
        kind="network",
        name="gated_mlp",
        summary="Multilayer perceptron of gated linear units.",
        source="Dauphin et al. 2017, arXiv:1612.08083",
    ),
    Start(
        kind="dataset",
        name="wave",
        summary="Points along a sine wave, with their exact density.",
        source="",
        imports=("attrs", "numpy", "torch"),
    ),
    Start(
        kind="target",
        name="banana",
        summary="Bent normal density in the plane.",
        source="Haario et al. 1999, doi:10.1007/s001800050022",
    ),
)

STARTS: Mapping[str, Start] = {start.kind: start for start in _STARTS}
"""Kind -> example."""


def write_package(folder: Path, package: str, start: Start, name: str) -> None:
    """Write the files into a folder that does not exist yet. It appears when it is whole: what fails leaves nothing."""
    if os.path.lexists(folder):
        raise DiffeoError(f"{folder}: expected a folder that does not exist yet; got one that does")
    if not folder.absolute().parent.is_dir():
        raise DiffeoError(f"{folder}: expected a place in a folder that exists; got no folder {folder.parent}")
    files = render_package(package, start, name)
    aside = folder.absolute().with_name(f".{folder.absolute().name}.{os.getpid()}")
    try:
        for path, text in files.items():
            (aside / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).write_text(text, encoding="utf-8")
        os.rename(aside, folder)
    except OSError as error:
        raise DiffeoError(f"{folder}: expected a place that can be written to; got: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def render_package(package: str, start: Start, name: str) -> dict[str, str]:
    """Path in the package -> text."""
    module = module_of(package)
    values = {
        "package": package,
        "module": module,
        "name": name,
        "kind": start.kind,
        "config": class_of(name),
        "implementation": class_of(name) + start.protocol,
        "summary": start.summary,
        "source": start.source,
        "dependencies": _dependencies(start),
        "plugin_api": PLUGIN_API,
        "year": datetime.date.today().year,
    }
    environment = _environment()
    return {path: environment.get_template(at).render(values) for path, at in _templates(start, module, name).items()}


def _templates(start: Start, module: str, name: str) -> dict[str, str]:
    """Path in the package -> template."""
    files = {
        ".github/workflows/test.yml": "shared/test.yml",
        ".gitignore": "shared/gitignore",
        "LICENSE": "shared/LICENSE",
        "README.md": "shared/README.md",
        "pyproject.toml": "shared/pyproject.toml",
        f"{module}/__init__.py": "shared/__init__.py",
        f"{module}/config.py": f"{start.kind}/config.py",
        f"{module}/{name}.py": f"{start.kind}/component.py",
        f"{module}/plugin.py": "shared/plugin.py",
        f"{module}/py.typed": "shared/py.typed",
        "tests/test_conformance.py": "shared/test_conformance.py",
    }
    if start.has_own_test:
        files[f"tests/test_{name}.py"] = f"{start.kind}/test_{start.kind}.py"
    return {path: f"{template}.jinja" for path, template in files.items()}


def _dependencies(start: Start) -> list[str]:
    major, minor = map(int, __version__.split(".")[:2])
    ours = f">={major}.{minor},<{major}.{minor + 1}"
    bounds = {name: BOUNDS[name] for name in start.imports} | {"diffeo": ours, "diffeo-registry": ours}
    return [name + bounds[name] for name in sorted(bounds)]


def _environment() -> Environment:
    """Plain text: nothing is escaped, a name that is not given is an error."""
    return Environment(
        loader=PackageLoader("diffeo", TEMPLATES),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
