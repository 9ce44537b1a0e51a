"""Nothing reads or writes pickles, which run code: neither the module nor torch's two functions around it are named."""

import ast
from collections.abc import Iterator

FORBIDDEN = ("pickle", "torch.load", "torch.save")


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of everything that code imports, reads or calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module or ''}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Name | ast.Attribute):
            yield ast.unparse(node), node.lineno


def found_in(code: str) -> list[int]:
    """The lines of code that name what is forbidden."""
    found = names(ast.parse(code))
    lines = {line for name, line in found for word in FORBIDDEN if f"{name}.".startswith(f"{word}.")}
    return sorted(lines)


def test_no_code_names_a_pickle(package):
    found = [
        f"{path.relative_to(package.folder)}:{line}" for path in package.sources for line in found_in(path.read_text())
    ]
    assert not found, f"a pickle runs code when it is read; named in {found}"


def test_the_rule_sees_every_way_to_name_one():
    code = '''
import pickle
import torch.serialization, pickle as innocent
from pickle import loads
from torch import load as read
from safetensors.torch import load
def read_all(path):
    return torch.load(path), innocent, pickle.Unpickler
np.load(path, allow_pickle=False)
"""Prose may say pickle and torch.load."""
'''
    assert found_in(code) == [2, 3, 4, 5, 8]
