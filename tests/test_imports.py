"""Who imports what: layers, torch-free fronts, declared dependencies, no pickle."""

import ast
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

# 192 with the versions in requirements/dev.txt, and a quarter on top: a new or an eager import shows up here. The standard
# library is most of it, cattrs and pluggy the rest; ruamel.yaml is loaded when a spec is read.
MODULES = 240

# Imported by a library on behalf of the code that uses it: the module imported here -> the package it needs.
IMPLIED = {"torch.utils.tensorboard": "tensorboard"}


def test_layers_hold(root):
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    linted = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_top_module_and_manifest_import_neither_torch_nor_numpy(package, run_python):
    manifests = package.pyproject["project"].get("entry-points", {}).get("diffeo.plugins", {}).values()
    modules = [package.module, *manifests]
    code = f"""
import importlib, json, sys
before = set(sys.modules)
for module in {modules!r}:
    importlib.import_module(module)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = run_python(code, without=("torch", "numpy"))
    assert done.returncode == 0, f"importing {', '.join(modules)} needs torch or numpy:\n{done.stderr}"
    imported = json.loads(done.stdout)
    assert len(imported) <= MODULES, f"importing {', '.join(modules)} loads {len(imported)} modules; budget {MODULES}"


def test_manifest_imports_the_registry_and_its_own_records_only(package, imports):
    manifest = package.code / "plugin.py"
    if not manifest.exists():
        return
    imported = {module.partition(".")[0] for module, _ in imports(manifest)}
    allowed = {"diffeo_registry", package.module, *sys.stdlib_module_names}
    foreign = imported - allowed
    assert not foreign, (
        f"{package.module}/plugin.py must import diffeo_registry and records of its own; got {sorted(foreign)}"
    )


def test_public_names_are_there(package, run_python):
    code = f"""
import {package.module} as module
names = module.__all__
assert not [name for name in names if name.startswith("_")], "underscored names in __all__"
for name in names:
    getattr(module, name)
assert set(names) <= set(dir(module)), "dir() hides public names"
submodules = {{path.stem for path in __import__("pathlib").Path(module.__file__).parent.glob("*.py")}}
clash = sorted(name for name in submodules & set(names))
assert not clash, f"public names that are submodules too: {{clash}}"
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_declared_dependencies_are_the_imported_ones(package, packages, imports):
    undeclared, unused = _compared(package, packages, imports)
    assert not undeclared, f"{package.name} does not declare what it imports: {undeclared}"
    assert not unused, f"{package.name} declares what it never imports: {unused}"


def test_an_undeclared_import_is_caught(packages, imports, tmp_path):
    package = type(packages[0])(folder=tmp_path, name="diffeo-lax", module="diffeo_lax")
    package.code.mkdir()
    (package.code / "late.py").write_text(
        "import attrs, json\nfrom torch.utils.tensorboard import SummaryWriter\n\n"
        "def sample():\n    from numpy.random import default_rng\n    import diffeo.testing, nobody\n"
    )
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["attrs>=23", "torch", "click>=8"]\n')
    undeclared, unused = _compared(package, packages, imports)
    assert undeclared == [
        "diffeo_lax/late.py:6 imports diffeo",
        "diffeo_lax/late.py:6 imports nobody",
        "diffeo_lax/late.py:5 imports numpy",
        "diffeo_lax/late.py:2 imports tensorboard",
    ]
    assert unused == ["click"]


def _compared(package, packages, imports) -> tuple[list[str], list[str]]:
    """What a package imports and doesn't declare, and the other way round, whether or not it is installed here."""
    ours = {other.module: {other.name} for other in packages}
    distributions = {**importlib.metadata.packages_distributions(), **ours}
    needed: dict[str, str] = {}
    for path in package.sources:
        for module, line in imports(path):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top == package.module:
                continue
            place = f"{path.relative_to(package.folder)}:{line}"
            names = {IMPLIED[module]} if module in IMPLIED else set()
            names |= {_normalised(name) for name in distributions.get(top, [top])}
            for name in names:
                needed.setdefault(name, place)
    undeclared = [f"{place} imports {name}" for name, place in sorted(needed.items()) if name not in package.declared]
    return undeclared, sorted(package.declared - needed.keys())


def _normalised(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


@pytest.mark.parametrize("forbidden", ["pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"])
def test_no_package_imports_a_pickler(packages, imports, forbidden):
    found = [
        f"{path.relative_to(package.folder.parent)}:{line}"
        for package in packages
        for path in package.sources
        for module, line in imports(path)
        if module.partition(".")[0] == forbidden
    ]
    assert not found, f"{forbidden} runs code from a file; imported in {found}"


def test_no_package_reads_or_writes_a_pickle(package):
    found: list[str] = []
    for path in package.sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            pickled = {
                word.arg for word in node.keywords if word.arg == "allow_pickle" and ast.unparse(word.value) != "False"
            }
            if called in {"torch.load", "torch.save", "torch.hub.load"} or pickled:
                found.append(f"{path.relative_to(package.folder)}:{node.lineno}: {called}")
    assert not found, f"checkpoints are safetensors, arrays are read without pickle: {found}"
