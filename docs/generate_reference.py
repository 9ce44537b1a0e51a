"""Write docs/reference/ from the installed components; with --check, only compare and say what is out of date.

Everything comes from records and configs, so torch is not imported. Packages of other people are left out.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from diffeo.config_spec import Spec, Trainer
from diffeo_registry import Kind, installed
from diffeo_registry.catalogue import CATALOGUE
from diffeo_registry.config_types import config_fields, type_text
from diffeo_registry.fields import BOUNDS, HELP, Bounds
from diffeo_registry.registered import Registered

FOLDER = Path(__file__).parent / "reference"
PACKAGES = {"diffeo", *CATALOGUE}


def main() -> int:
    """Write the pages, or compare them; the number of pages that differ decides the exit status of --check."""
    wanted = pages()
    present = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name))
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"out of date in {FOLDER}: {', '.join(stale)}; `make docs` writes them anew", file=sys.stderr)
        return bool(stale)
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
    by_kind = {
        kind: [item for item in registry.of_kind(kind.name) if item.package in PACKAGES]
        for kind in sorted(registry.kinds.values(), key=lambda kind: kind.name)
    }
    by_kind = {kind: items for kind, items in by_kind.items() if items}
    found = {f"{_stem(kind)}.md": _kind_page(kind, items) for kind, items in by_kind.items()}
    return {"index.md": _index(by_kind), "spec.md": _spec_page(), **found}


def _index(by_kind: dict[Kind, list[Registered]]) -> str:
    lines = [
        "# Components",
        "",
        "What can stand in a slot, by kind. The keys of a spec are on [a page of their own](spec.md).",
        "",
    ]
    for kind, items in by_kind.items():
        names = ", ".join(f"[{item.name}]({_stem(kind)}.md#{_anchor(item)})" for item in items)
        lines += [f"**[{kind.plural.capitalize()}]({_stem(kind)}.md)**: {names}", ""]
    recipes = [item.recipe for item in installed().recipes if item.package in PACKAGES]
    lines += ["## Recipes", "", "Complete specs; `diffeo recipes copy NAME FILE` gives you one to change.", ""]
    lines += _table(("recipe", "what it trains"), [(f"`{recipe.name}`", recipe.summary) for recipe in recipes])
    return _joined(lines)


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
    record = item.component
    lines = [f"## {item.name}", "", _sentence(record.summary), "", f"`{item.qualified}`"]
    if record.source:
        lines[-1] += f" · {record.source}"
    if record.deprecated:
        lines += ["", f"Deprecated: {record.deprecated}"]
    return [*lines, "", *_fields(item.load_config())]


def _spec_page() -> str:
    return _joined(
        [
            *("# Keys of a spec", "", "How they work together: [write a spec](../howto/write-a-spec.md).", ""),
            *_fields(Spec),
            *("## trainer", "", *_fields(Trainer)),
        ]
    )


def _fields(config: type[Any]) -> list[str]:
    rows = [
        (f"`{key}`", _type(field), _default(field.default), field.metadata.get(HELP, ""))
        for key, field in config_fields(config).items()
    ]
    return _table(("field", "type", "default", ""), rows) if rows else ["No fields.", ""]


def _type(field: "attrs.Attribute[Any]") -> str:
    bounds = field.metadata.get(BOUNDS, Bounds())
    text = type_text(field.type)
    if bounds == Bounds():
        return text
    limits = str(bounds).removeprefix("a value ")
    return f"{text}, {'each ' if text.startswith('list') else ''}{limits}"


def _default(value: Any) -> str:
    if value is attrs.NOTHING:
        return "required"
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        value = value.factory()
    return "see below" if isinstance(value, Trainer) else f"`{json.dumps(_plain(value))}`".replace('"', "")


def _plain(value: Any) -> Any:
    """A default as a user would write it: a config as its name and the fields that differ from their defaults."""
    if attrs.has(type(value)):
        fields = attrs.asdict(value, recurse=False, filter=lambda field, inner: inner != field.default)
        name = installed().of(value).name
        return {name: {key: _plain(inner) for key, inner in fields.items()}} if fields else name
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _stem(kind: Kind) -> str:
    return kind.plural.replace(" ", "-")


def _anchor(item: Registered) -> str:
    return item.name.lower()


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(main())
