"""Each package works from its wheel alone: the one pip installs, with what it declares and without its siblings beside it.

Nothing is fetched: the wheels are built here, and third parties' packages are those that are installed here.
"""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LISTING = """
import importlib, json, sys
from diffeo_registry import installed
module = importlib.import_module(sys.argv[1])
assert module.__file__.startswith(sys.argv[3]), module.__file__
assert not installed().broken, installed().broken
listed = sorted((item.package, *item.kinds, item.name) for item in installed().components)
recipes = sorted(recipe.name for recipe in installed().recipes if recipe.path())
assert "torch" not in sys.modules and "numpy" not in sys.modules, "listing imported torch or numpy"
for item in installed().components:
    if item.package == sys.argv[2]:
        item.load_config(), item.load_implementation()
print(json.dumps([listed, recipes]))
"""

LOOKUP = """
import json, sys
from diffeo_registry import DiffeoError, installed
messages = []
for package, *kinds, name in json.loads(sys.argv[1]):
    try:
        installed().find(name, kinds)
    except DiffeoError as error:
        messages.append(str(error))
print(json.dumps(messages))
"""

QUICK = {
    "diffeo-registry": ["test_imports.py", "test_schema.py", "test_structuring.py"],
    "diffeo": ["test_cli_listing.py", "test_combinators.py", "test_spec.py"],
    "diffeo-bijectors": ["test_actnorm.py", "test_coupling.py", "test_linear.py", "test_splits.py"],
    "diffeo-data": ["test_csv.py", "test_hashing.py", "test_npy.py"],
    "diffeo-loft": ["test_loft.py", "test_score.py", "test_soft_clamp.py", "test_student_t.py", "test_targets.py"],
    "diffeo-denseflow": ["test_attention.py", "test_cross_unit.py", "test_networks.py"],
    "diffeo-vflow": ["test_mixture_logistic.py", "test_parts.py", "test_recipes.py"],
}
"""The tests that a package runs from its wheel every time; of a package that isn't named, all. They have all run from
the checkout, so what is sought here is a file that was left out, or a package that isn't declared."""


@pytest.fixture(scope="session")
def alone(packages, environment_with) -> Callable[..., Any]:
    """The environment with one package and the siblings it declares; once a session."""
    made: dict[str, Any] = {}

    def make(package) -> Any:
        if package.name not in made:
            made[package.name] = environment_with([one.folder for one in _with_siblings(package, packages)])
        return made[package.name]

    return make


@pytest.fixture(scope="session")
def here(packages) -> list[list]:
    """The components and recipes of this checkout, those of other people's plugins left out."""
    from diffeo_registry import installed

    names = {package.name for package in packages}
    listed = sorted([one.package, *one.kinds, one.name] for one in installed().components if one.package in names)
    return [listed, sorted([one.package, one.name] for one in installed().recipes if one.package in names)]


def test_wheel_holds_the_import_package_and_nothing_else(package, wheel_of):
    with zipfile.ZipFile(wheel_of(package.folder)) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    ignored = {"__pycache__"}
    files = [path for path in package.code.rglob("*") if path.is_file() and not ignored & set(path.parts)]
    expected = {path.relative_to(package.folder).as_posix() for path in files}
    assert names == expected, f"missing: {sorted(expected - names)}; too much: {sorted(names - expected)}"


def test_package_alone_has_exactly_its_components(package, packages, alone, here):
    names = {other.name for other in _with_siblings(package, packages)}
    components, recipes = _listed(alone(package), package)
    assert components == [row for row in here[0] if row[0] in names]
    assert recipes == sorted(recipe for owner, recipe in here[1] if owner in names)


def test_package_alone_passes_tests_of_its_own(package, alone, root):
    _test(alone(package), root, [package.folder / "tests" / name for name in QUICK.get(package.name, [""])])


@pytest.mark.long
def test_package_alone_passes_its_tests(package, alone, root):
    _test(alone(package), root, [package.folder / "tests"])


def test_a_package_that_was_uninstalled_is_named(package, packages, environment_with, root, here, tmp_path):
    if package.folder.parent != root / "plugins":
        return
    environment = environment_with([one.folder for one in _with_siblings(package, packages)])
    rows = [row for row in here[0] if row[0] == package.name]
    assert _messages(environment, rows) == []
    environment.pip("uninstall", "--quiet", "--yes", package.name)
    advice = f"comes with {package.name}, which is not installed: pip install {package.name}"
    assert _messages(environment, rows) == [f"{name!r} {advice}" for _, *_, name in rows]

    by_kind = {kind: name for _, *kinds, name in rows for kind in kinds}
    data, step = by_kind.get("dataset", "a_data_set"), by_kind.get("bijector") or by_kind.get("augmenter", "chain")
    (tmp_path / "spec.yaml").write_text(f"diffeo: 1\ndata: {data}\nmodel: {{flow: {{steps: [{step}]}}}}\n")
    done = environment.run("-m", "diffeo", "check", "spec.yaml", cwd=tmp_path)
    assert done.returncode == 2
    place = r"spec\.yaml:2:7: data: " if "dataset" in by_kind else r"spec\.yaml:3:24: model\.flow\.steps\[0\]: "
    assert re.search(rf"^{place}'\w+' {advice}$", done.stderr, re.MULTILINE), done.stderr


def _listed(environment, package) -> list[list]:
    """The components and recipes there; those of the package are imported."""
    done = environment.run("-c", LISTING, package.module, package.name, str(environment.folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _messages(environment, rows: list[list[str]]) -> list[str]:
    done = environment.run("-c", LOOKUP, json.dumps(rows))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _test(environment, root: Path, paths: list[Path]) -> None:
    options = ["-q", "-m", "not long", "-p", "no:cacheprovider", "-c", str(root / "pyproject.toml")]
    done = environment.run("-m", "pytest", *options, *map(str, paths), cwd=environment.folder)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def _with_siblings(package, packages) -> list:
    """The package and the siblings it declares, directly or not."""
    by_name = {other.name: other for other in packages}
    needed = [package]
    for item in needed:
        needed += [by_name[name] for name in sorted(item.declared & by_name.keys()) if by_name[name] not in needed]
    return needed
