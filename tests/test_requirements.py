"""requirements/dev.txt agrees with the tree: it installs every package, pins every tool, and alone pins torch."""

import re

import pytest


@pytest.fixture
def lines(root) -> list[str]:
    text = (root / "requirements/dev.txt").read_text()
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_every_package_is_installed_editable(lines, packages, root):
    installed = {re.sub(r"\[.*\]$", "", line.removeprefix("-e ")) for line in lines if line.startswith("-e ")}
    assert installed == {f"./{package.folder.relative_to(root).as_posix()}" for package in packages}


def test_everything_else_is_pinned(lines):
    loose = [
        line
        for line in lines
        if not line.startswith("-e ") and not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!]+", line)
    ]
    assert not loose, f"expected 'name==version' in requirements/dev.txt; got {loose}"


def test_tools_of_the_makefile_are_pinned(lines, root):
    package_of = {"lint-imports": "import-linter", "pytest": "pytest", "pyright": "pyright", "ruff": "ruff"}
    ours = {"diffeo", "python"}
    makefile = (root / "Makefile").read_text()
    used = set(re.findall(r"\$\(BIN\)/([\w-]+)", makefile)) | set(re.findall(r"-m (pytest)", makefile))
    unknown = used - ours - package_of.keys()
    assert not unknown, f"tools of the Makefile this test does not know: {unknown}"
    pinned = {re.split(r"[\[=]", line)[0] for line in lines}
    missing = {package_of[tool] for tool in used - ours} - pinned
    assert not missing, f"used by the Makefile but not pinned in requirements/dev.txt: {missing}"


def test_torch_is_pinned_in_one_place(texts):
    pin = re.compile(r"\b(torch|torchvision)\s*(===?|~=)\s*\d")
    places = {str(path) for path, text in texts.items() if pin.search(text)}
    assert places == {"requirements/dev.txt"}, (
        f"torch is pinned in requirements/dev.txt and nowhere else; got {sorted(places)}"
    )
