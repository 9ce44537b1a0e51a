"""Where things are and what they are called: one rule for folder, package and import name, the same parts in each."""

import re
import tomllib


def test_folder_package_and_import_name_follow_one_rule(package):
    project = package.pyproject["project"]
    assert project["name"] == package.name, (
        f"{package.folder.name}/ must hold {package.name}; its pyproject says {project['name']}"
    )
    packaged = package.pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packaged == [package.module], f"the wheel of {package.name} must hold {package.module}; got {packaged}"
    others = [path.parent.name for path in package.folder.glob("*/__init__.py") if path.parent.name != package.module]
    assert not others, f"{package.folder.name}/ holds import packages besides {package.module}: {others}"


def test_every_package_has_the_same_parts(package, root):
    parts = ["pyproject.toml", "README.md", "tests", f"{package.module}/__init__.py", f"{package.module}/py.typed"]
    missing = [part for part in parts if not (package.folder / part).exists()]
    assert not missing, f"{package.folder.relative_to(root)} lacks {', '.join(missing)}"
    assert list((package.folder / "tests").glob("test_*.py")), f"{package.name} has no tests"
    assert (package.folder / "README.md").read_text().startswith(f"# {package.name}\n"), (
        f"the README of {package.name} opens with its name"
    )


def test_every_package_is_built_and_licensed_alike(package):
    project = package.pyproject["project"]
    assert package.pyproject["build-system"] == {"requires": ["hatchling"], "build-backend": "hatchling.build"}
    assert project["license"] == "MIT", f"{package.name} must be MIT"
    assert project["requires-python"] == ">=3.11", f"{package.name} must ask for Python 3.11 as the others do"
    assert project["readme"] == "README.md"
    assert "Typing :: Typed" in project["classifiers"]


def test_a_plugin_names_its_manifest_after_its_folder(package, root):
    if package.folder.parent != root / "plugins":
        return
    declared = package.pyproject["project"]["entry-points"]["diffeo.plugins"]
    name = package.folder.name.replace("-", "_")
    assert declared.get(name) == f"{package.module}.plugin", (
        f"{package.name} must register '{name} = {package.module}.plugin'; got {declared}"
    )


def test_versions_are_in_lock_step(package):
    import diffeo

    version = package.pyproject["project"]["version"]
    assert version == diffeo.__version__, (
        f"{package.name} is {version}, diffeo is {diffeo.__version__}: they move together"
    )
    major, minor = version.split(".")[:2]
    ours = [line for line in package.pyproject["project"]["dependencies"] if re.match(r"diffeo\b", line)]
    expected = rf"diffeo[\w-]*>={major}\.{minor}(\.\d+)?,<{major}\.{int(minor) + 1}"
    loose = [line for line in ours if not re.fullmatch(expected, line)]
    assert not loose, f"{package.name} must depend on this minor version of its siblings; got {loose}"


def test_extras_of_the_core_are_the_plugins(packages, root):
    core, *plugins = [one for one in packages if one.folder == root / "core" or one.folder.parent == root / "plugins"]
    version = core.pyproject["project"]["version"].rpartition(".")[0]
    major, minor = map(int, version.split("."))
    wanted = {one.folder.name: [f"{one.name}>={version},<{major}.{minor + 1}"] for one in plugins}
    wanted["all"] = [line for lines in wanted.values() for line in lines]
    extras = core.pyproject["project"]["optional-dependencies"]
    assert extras == wanted, "diffeo[x] installs plugin x, diffeo[all] all of them: core/pyproject.toml"


def test_no_namespace_packages(package):
    holds_code = {parent for path in package.sources for parent in path.parents if parent.is_relative_to(package.code)}
    bare = sorted(
        str(folder.relative_to(package.folder)) for folder in holds_code if not (folder / "__init__.py").exists()
    )
    assert not bare, f"folders of {package.name} without __init__.py: {bare}"


def test_import_linter_knows_every_package(packages, root):
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(settings["root_packages"]) == {package.module for package in packages}
    layers = next(contract for contract in settings["contracts"] if contract["type"] == "layers")["layers"]
    named = {name for layer in layers for name in re.split(r"\s*[|:]\s*", layer)}
    assert named == {package.module for package in packages}, "every package must stand in one of the layers"
