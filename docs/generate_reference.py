"""Write docs/reference/ from the installed components; with --check, only compare and say what is out of date.

Everything comes from records and configs, without torch, but for the page of laws, for which every case is built. Packages
of other people are left out.
"""

import ast
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance_page import conformance_page

from diffeo.config_spec import Spec, Trainer
from diffeo_registry import Kind, installed
from diffeo_registry.catalogue import CATALOGUE
from diffeo_registry.descriptions import FieldDescription, Source, describe, describe_fields
from diffeo_registry.registered import Registered

FOLDER = Path(__file__).parent / "reference"
PACKAGES = {"diffeo", *CATALOGUE}


def main() -> int:
    """Write the pages that differ from what is installed, or with --check name them and return 1."""
    wanted = pages()
    present = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name))
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"out of date in {FOLDER}: {', '.join(stale)}; `make docs` writes them anew", file=sys.stderr)
        return int(bool(stale))
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name])
        else:
            (FOLDER / name).unlink()
    print(f"{len(wanted)} pages in {FOLDER}, {len(stale)} of them changed")
    return 0


def pages() -> dict[str, str]:
    """The text of every page by its file name."""
    registry = installed()
    kinds = sorted(registry.kinds.values(), key=lambda kind: kind.name)
    listed = {kind: [item for item in registry.of_kind(kind.name) if item.package in PACKAGES] for kind in kinds}
    by_kind = {kind: items for kind, items in listed.items() if items}
    found = {f"{_stem(kind)}.md": _kind_page(kind, items) for kind, items in by_kind.items()}
    laws = _joined(conformance_page(registry, PACKAGES))
    return {"index.md": _index(by_kind), "spec.md": _spec_page(), "conformance.md": laws, **found}


def _index(by_kind: dict[Kind, list[Registered]]) -> str:
    lines = [
        "# Components",
        "",
        "What can stand in a slot, by kind. [The keys of a spec](spec.md) have a page of their own, and so have",
        "[the laws that components are tested against](conformance.md).",
        "",
    ]
    for kind, items in by_kind.items():
        names = ", ".join(f"[{item.name}]({_stem(kind)}.md#{item.name.lower()})" for item in items)
        lines += [f"**[{kind.plural.capitalize()}]({_stem(kind)}.md)**: {names}", ""]
    recipes = [item.recipe for item in installed().recipes if item.package in PACKAGES]
    lines += ["## Recipes", "", "Complete specs; `diffeo recipes copy NAME FILE` gives you one to change.", ""]
    return _joined([*lines, *_table(("recipe", "what it trains"), [(f"`{one.name}`", one.summary) for one in recipes])])


def _kind_page(kind: Kind, items: Sequence[Registered]) -> str:
    arguments = ", ".join(["config", *kind.built_with])
    lines = [
        f"# {kind.plural.capitalize()}",
        "",
        _sentence(kind.summary),
        "",
        f"Built as `Implementation({arguments})`.",
        "",
    ]
    for item in items:
        lines += _component(item)
    return _joined(lines)


def _component(item: Registered) -> list[str]:
    record, description = item.component, describe(item, installed())
    origin = f"`{item.qualified}`" + (f" · {record.source}" if record.source else "")
    paragraphs = [_sentence(record.summary), origin, *([description.remark] if description.remark else [])]
    lines = [f"## {item.name}", "", *(line for paragraph in paragraphs for line in (paragraph, ""))]
    contract = _docstring(description.implementation)
    return [*lines, *_fields(description.fields), *(["```text", contract, "```", ""] if contract else [])]


def _docstring(source: Source | None) -> str:
    """The docstring of a class, read from its file: importing it would import torch."""
    if source is None or source.line is None:
        return ""
    nodes = ast.walk(ast.parse(source.file.read_text()))
    return next(
        (ast.get_docstring(n) or "" for n in nodes if isinstance(n, ast.ClassDef) and n.lineno == source.line), ""
    )


def _spec_page() -> str:
    head = ["# Keys of a spec", "", "How they work together: [write a spec](../howto/write-a-spec.md).", ""]
    return _joined(
        [
            *head,
            *_fields(describe_fields(Spec, installed())),
            "## trainer",
            "",
            *_fields(describe_fields(Trainer, installed())),
        ]
    )


def _fields(fields: Iterable[FieldDescription]) -> list[str]:
    rows = [
        (f"`{one.name}`", ", ".join(filter(None, (one.type, one.bounds))), _default(one), one.help) for one in fields
    ]
    return _table(("field", "type", "default", ""), rows) if rows else ["No fields.", ""]


def _default(field: FieldDescription) -> str:
    return "required" if field.required else f"`{field.default}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _stem(kind: Kind) -> str:
    return kind.plural.replace(" ", "-")


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(main())
