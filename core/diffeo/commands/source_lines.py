"""Where a class stands, found without importing it: torch stays out of ``diffeo show``."""

import ast
import importlib.util
from pathlib import Path

__all__ = ["source_line"]


def source_line(reference: str) -> str:
    """``"file.py:17"`` for ``"package.module:Name"``; the module alone where its source cannot be found."""
    module, _, qualname = reference.partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return module
    line = _line(Path(spec.origin), qualname)
    return spec.origin if line is None else f"{spec.origin}:{line}"


def _line(path: Path, qualname: str) -> int | None:
    """The line of a class or function; decorators stand above it."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    line = None
    for name in qualname.split("."):
        definitions = [node for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name]
        if not definitions:
            return line
        line, body = definitions[0].lineno, definitions[0].body
    return line
