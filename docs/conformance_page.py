"""The page of laws: which bind which kind, what each component declares, and every exception with its reason."""

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from diffeo.capabilities import Capabilities
from diffeo.testing import Law, Suite
from diffeo_registry import Kind, Registry, find_source, load_reference

if TYPE_CHECKING:
    from diffeo.testing import Check

__all__ = ["conformance_page"]

HEAD = """# Conformance

What `diffeo conform` checks, kind by kind, and what our own components are excused from.
[Test a component](../howto/test-a-component.md) says how to use it.

*quality* counts in strict runs only; *slow* is left to the first case of a component in quick runs. Which laws bind a case
follows from what the component declares, never from its type.
""".splitlines()


def conformance_page(registry: Registry, packages: Iterable[str]) -> list[str]:
    """The lines of the page; every case of these packages is built to see what it declares."""
    from diffeo.testing import conformance

    kinds = [kind for kind in sorted(registry.kinds.values(), key=lambda kind: kind.name) if kind.laws]
    with_laws = {one.package for kind in kinds for one in registry.of_kind(kind.name)}
    checks = [check for package in sorted(set(packages) & with_laws) for check in conformance(package)]
    lines = [*HEAD, ""]
    for title, alike in _by_suite(kinds).items():
        lines += [f"## {title}", "", *_laws(load_reference(alike))]
    return [*lines, "## What our components declare", "", *_declared(checks), "## Exceptions", "", *_exceptions(checks)]


def _by_suite(kinds: Sequence[Kind]) -> dict[str, str]:
    """Kinds that share their laws under one title."""
    plurals: dict[str, list[str]] = {}
    for kind in kinds:
        suite: Suite = load_reference(kind.laws)
        same = next((laws for laws in plurals if load_reference(laws) is suite), kind.laws)
        plurals.setdefault(same, []).append(kind.plural)
    return {", ".join(names).capitalize(): laws for laws, names in plurals.items()}


def _laws(suite: Suite) -> list[str]:
    rows = [(f"`{law.name}`", _summary(law), _marks(law)) for law in suite.laws]
    return _table(("law", "", ""), rows)


def _marks(law: Law) -> str:
    return ", ".join(name for name, is_so in (("quality", law.is_quality), ("slow", law.is_slow)) if is_so)


def _summary(law: Law) -> str:
    """The first line of the docstring of the function behind a law, read from its file."""
    source = find_source(law.check)
    assert source is not None, law.check
    nodes = [node for node in ast.parse(source.file.read_text()).body if isinstance(node, ast.FunctionDef)]
    text = next(ast.get_docstring(node) or "" for node in nodes if node.lineno == source.line)
    return " ".join(text.partition("\n\n")[0].split())


def _declared(checks: Sequence["Check"]) -> list[str]:
    rows: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        text = _differences(check.capabilities)
        shapes = rows.setdefault((f"`{check.kind}/{check.component.name}`", text), [])
        if text and check.law.name == "builds":
            shapes.append(check.case.label)
    found = [(name, text) for (name, text), cases in rows.items() if cases]
    return ["Only what differs from the default is listed.", "", *_table(("component", "declares"), found)]


def _differences(able: Capabilities) -> str:
    usual = Capabilities()
    changed = {
        field.name: getattr(able, field.name)
        for field in attrs.fields(Capabilities)
        if field.name != "idle" and getattr(able, field.name) != getattr(usual, field.name)
    }
    return ", ".join(
        f"{name} = {value!r}" for name, value in changed.items() if not (name == "inverse" and value == "none")
    )


def _exceptions(checks: Sequence["Check"]) -> list[str]:
    failures = [(f"`{check.title}`", f"`{check.law.name}`", check.reason) for check in checks if check.reason]
    idle = [
        (f"`{check.title}`", f"`{name}`", reason)
        for check in checks
        if check.law.name == "builds"
        for name, reason in check.capabilities.idle.items()
    ]
    return [
        "Checks that are expected to fail; one that holds nevertheless is a failure.",
        "",
        *_table(("case", "law", "why"), failures),
        "Parameters that may be without a gradient.",
        "",
        *_table(("case", "parameter", "why"), idle),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
