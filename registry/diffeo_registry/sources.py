"""Files of installed packages, found without importing the package."""

import ast
import importlib.util
from pathlib import Path

import attrs

__all__ = ["Source", "find_source", "package_folder"]


@attrs.frozen(kw_only=True)
class Source:
    """Where something is defined; ``line`` is None where no class or function of that name is written there."""

    file: Path
    line: int | None

    def __str__(self) -> str:
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


def package_folder(package: str) -> Path | None:
    """The folder of an import package; None if there is none."""
    top, *inner = package.split(".")
    spec = importlib.util.find_spec(top)
    folders = [Path(folder, *inner) for folder in (spec and spec.submodule_search_locations) or ()]
    return next((folder for folder in folders if folder.is_dir()), None)


def find_source(reference: str) -> Source | None:
    """Where the class or function of ``"package.module:Name"`` is defined; None if there is no such module."""
    module, _, qualname = reference.partition(":")
    file = _module_file(module)
    if file is None:
        return None
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, UnicodeDecodeError):
        return Source(file=file, line=None)
    return Source(file=file, line=_line(body, qualname.split(".")))


def _module_file(module: str) -> Path | None:
    package, dot, name = module.rpartition(".")
    folder = package_folder(package) if dot else package_folder(module)
    if not dot and folder is None:
        spec = importlib.util.find_spec(module)
        return None if spec is None or spec.origin is None or not spec.has_location else Path(spec.origin)
    if folder is None:
        return None
    candidates = [folder / f"{name}.py", folder / name / "__init__.py"] if dot else [folder / "__init__.py"]
    return next((file for file in candidates if file.is_file()), None)


def _line(body: list[ast.stmt], names: list[str]) -> int | None:
    name, *inner = names
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return _line(node.body, inner) if inner else node.lineno
    return None
