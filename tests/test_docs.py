"""The documentation is true: links lead somewhere, specs in it validate, its Python runs, its reference is current."""

import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def pages(texts, root) -> dict[Path, str]:
    return {root / path: text for path, text in texts.items() if path.suffix == ".md"}


def test_links_lead_somewhere(pages, root):
    dead = [
        f"{page.relative_to(root)}: {target}"
        for page, text in pages.items()
        for target in _links(text)
        if not _exists(page, target, pages)
    ]
    assert not dead, "links that lead nowhere:\n" + "\n".join(dead)


def test_every_page_of_docs_is_reachable(pages, root):
    seen: set[Path] = set()
    queue = [root / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page not in pages:
            continue
        seen.add(page)
        queue += [(page.parent / target.partition("#")[0]).resolve() for target in _links(pages[page])]
    lost = sorted(
        str(page.relative_to(root)) for page in pages if page.is_relative_to(root / "docs") and page not in seen
    )
    assert not lost, f"pages that no link from README.md leads to: {lost}"


def test_specs_in_the_docs_validate(pages, root, tmp_path):
    import diffeo

    wrong: list[str] = []
    for page, text in pages.items():
        for number, spec in enumerate(block for language, block in BLOCK.findall(text) if language == "yaml"):
            if not spec.startswith("diffeo: 1"):
                continue
            path = tmp_path / f"{page.stem}-{number}.yaml"
            path.write_text(spec)
            try:
                diffeo.load_spec(str(path))
            except ValueError as error:
                wrong.append(f"{page.relative_to(root)}, spec {number + 1}: {error}")
    assert not wrong, "\n".join(wrong)


def test_python_of_the_readme_runs(pages, root, run_python, tmp_path):
    blocks = [block for language, block in BLOCK.findall(pages[root / "README.md"]) if language == "python"]
    assert blocks, "README.md shows no Python"
    done = run_python(f"import os; os.chdir({str(tmp_path)!r})\n" + "\n".join(blocks))
    assert done.returncode == 0, done.stderr


def test_the_package_of_add_a_bijector_works(pages, root, run_python, tmp_path, monkeypatch, capsys):
    from diffeo.cli import run

    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(pages[root / "docs/howto/add-a-bijector.md"])
    (console,) = (block for language, block in blocks if language == "console")
    command, *said = console.splitlines()
    assert run(shlex.split(command)[2:]) == 0
    assert capsys.readouterr().out.splitlines() == said

    use: list[str] = []
    for block in (block for language, block in blocks if language == "python"):
        path = re.match(r"# (acme_flows/\w+\.py)\n", block)
        if path:
            assert (tmp_path / "acme-flows" / path[1]).is_file(), f"the command writes no {path[1]}"
            (tmp_path / "acme-flows" / path[1]).write_text(block)
        else:
            use.append(block)
    _pretend_to_install(tmp_path / "acme-flows")
    lines = [
        f"sys.path.insert(0, {str(tmp_path / 'acme-flows')!r})",
        "import diffeo, torch",
        "from acme_flows.config import Leaky",
        *use,
        "assert diffeo.build('bijector', {'leaky': {'slope': 0.2}}, shape=(8,)).slope == 0.2",
        "assert diffeo.build('bijector', 'acme-flows/leaky@1', shape=(8,)).slope == 0.1",
        "from diffeo.testing import conformance",
        "for check in conformance('acme-flows'): check.law.is_slow or check()",
    ]
    done = run_python("\n".join(lines))
    assert done.returncode == 0, done.stderr


def _pretend_to_install(folder: Path) -> None:
    """What pip would write beside a package, so that its entry points are found."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n")
    entries = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in rows.items())
        for group, rows in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(entries))


def test_commands_in_the_docs_exist(pages, root, capsys):
    from diffeo.cli import run

    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    wrong: list[str] = []
    for page, text in pages.items():
        console = "\n".join(block for language, block in BLOCK.findall(text) if language == "console")
        place = page.relative_to(root)
        for words in map(shlex.split, re.findall(r"^\$ make (.*)$", console, re.MULTILINE)):
            wrong += [f"{place}: make {target}: no such target" for target in words if target not in targets]
        for line in re.findall(r"^\$ diffeo (.*)$", console, re.MULTILINE):
            command, *rest = shlex.split(line, comments=True)
            status, text_of_help = run([command, "--help"]), capsys.readouterr().out
            options = {word.partition("=")[0] for word in rest if word.startswith("-")}
            known = set(re.findall(r"(?<![\w-])--?[\w-]+", text_of_help))
            if status != 0 or options - known:
                wrong.append(f"{place}: diffeo {line}: no such command or option")
    assert not wrong, "\n".join(wrong)


def test_changelog_has_the_current_version(root):
    import diffeo

    text = (root / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[?{re.escape(diffeo.__version__)}\b", text, re.MULTILINE), (
        f"CHANGELOG.md lacks {diffeo.__version__}"
    )


def test_architecture_names_every_package(packages, root):
    text = (root / "ARCHITECTURE.md").read_text()
    missing = [
        package.name for package in packages if f"`{package.name}`" not in text or f"`{package.module}`" not in text
    ]
    assert not missing, f"ARCHITECTURE.md does not name {missing}"


def test_architecture_names_only_what_is_there(root):
    text = (root / "ARCHITECTURE.md").read_text()
    paths = re.findall(r"`((?:registry|core|plugins|tests|integration|docs|requirements|\.ci)/[\w./-]*)`", text)
    dotted = re.findall(r"`(diffeo(?:_\w+)?)\.(\w+)`", text)
    missing = sorted({path for path in paths if not (root / path).exists()})
    missing += sorted({f"{package}.{name}" for package, name in dotted if not _is_importable(package, name)})
    assert paths, "ARCHITECTURE.md names no path"
    assert not missing, f"ARCHITECTURE.md names what is not there: {missing}"


def test_reference_is_current(root):
    command = [sys.executable, str(root / "docs/generate_reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _is_importable(package: str, name: str) -> bool:
    return name in importlib.import_module(package).__all__ or importlib.util.find_spec(f"{package}.{name}") is not None


def _links(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    return [
        first or second
        for first, second in LINK.findall(prose)
        if not (first or second).startswith(("http", "mailto:"))
    ]


def _exists(page: Path, target: str, pages: dict[Path, str]) -> bool:
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return False
    return not anchor or anchor in _anchors(pages.get(path, ""))


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+\s+(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
