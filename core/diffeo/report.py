"""The page a run leaves behind: one file with everything in it, to be looked at anywhere."""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined

from diffeo.curves import charts
from diffeo.png import description
from diffeo.run_metrics import evaluated, headlines, incidents, likelihood_unit, log_weights, read_log

__all__ = ["StructureRow", "duration", "write_report"]


class StructureRow(Protocol):
    """One part of the model: what ``diffeo.describe_model`` yields."""

    @property
    def name(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def in_shape(self) -> tuple[int, ...] | None: ...
    @property
    def out_shape(self) -> tuple[int, ...] | None: ...
    @property
    def parameters(self) -> int: ...
    @property
    def path(self) -> str: ...


class _Picture(NamedTuple):
    uri: str
    caption: str
    name: str


class _Section(NamedTuple):
    name: str
    numbers: list[tuple[str, str]]
    pictures: list[_Picture]


def write_report(
    run: Path,
    *,
    structure: Sequence[StructureRow] = (),
    versions: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
    unit: str | None = None,
) -> Path:
    """Write ``report/index.html`` in a run folder and return its path.

    Curves, numbers, pictures and the spec are read from the folder; whatever is not there is left out. ``structure``
    are the rows of ``diffeo.describe_model``, ``versions`` names and versions of what took part, ``facts`` what else
    is worth knowing (wall time, seed, command), ``unit`` that of likelihoods: ``"bits/dim"`` or ``"nats"``.
    """
    log, metrics = read_log(run / "metrics.jsonl"), evaluated(run)
    spec = run / "spec.yaml"
    unit = unit or likelihood_unit(metrics)
    total = sum(row.parameters for row in structure if row.depth == 0)
    page = (
        _environment()
        .get_template("report.html.jinja")
        .render(
            title=run.resolve().name,
            headlines=headlines(log, metrics, unit=unit),
            charts=charts(log, unit=unit),
            sections=_sections(run / "report", metrics),
            structure=structure,
            largest=max((row.parameters for row in structure), default=0),
            total=total,
            log_weights=log_weights(log),
            incidents=incidents(run / "incidents.jsonl"),
            spec=yaml_tokens(spec.read_text(encoding="utf-8")) if spec.is_file() else [],
            versions=versions or {},
            facts={"steps": f"{log.last_step:,}", "training time": duration(log.seconds), **(facts or {})},
        )
    )
    path = run / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def duration(seconds: float) -> str:
    """``5025 -> "1 h 23 min"``, with the two largest units that are not zero."""
    whole = round(seconds)
    units = [("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60)]
    first = next((index for index, (_, count) in enumerate(units) if count), len(units) - 1)
    shown = [(name, count) for name, count in units[first : first + 2] if count]
    return " ".join(f"{count} {name}" for name, count in shown) or "0 s"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("diffeo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shape"] = format_shape
    return environment


def format_shape(shape: tuple[int, ...] | None) -> str:
    """``(1, 28, 28) -> "1 × 28 × 28"``; a scalar is ``()``, no shape a dash."""
    return "–" if shape is None else " × ".join(map(str, shape)) or "()"


def _sections(report: Path, metrics: Mapping[str, float]) -> list[_Section]:
    """Numbers and pictures by evaluator: a picture lies in a folder of that name or its own name begins with it."""
    names = list(dict.fromkeys(name.split("/", 1)[0] for name in metrics))
    pictures: dict[str, list[_Picture]] = {}
    for path in sorted(report.rglob("*.png")):
        pictures.setdefault(_owner(path, report, names), []).append(_picture(path))
    order = [*names, *(name for name in pictures if name not in names)]
    return [
        _Section(
            _words(name),
            _pairs({key.split("/", 1)[1]: value for key, value in metrics.items() if key.startswith(f"{name}/")}),
            pictures.get(name, []),
        )
        for name in order
    ]


def _owner(path: Path, report: Path, names: Sequence[str]) -> str:
    if path.parent != report:
        return path.relative_to(report).parts[0]
    return next((name for name in sorted(names, key=len, reverse=True) if path.stem.startswith(name)), path.stem)


def _picture(path: Path) -> _Picture:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return _Picture(f"data:image/png;base64,{data}", description(path) or _words(path.stem), path.stem)


def _pairs(numbers: Mapping[str, float]) -> list[tuple[str, str]]:
    """(words, number) for a table; a number and its standard error share a line."""
    rows: list[tuple[str, str]] = []
    for name, value in numbers.items():
        if name.endswith("standard_error"):
            continue
        error = numbers.get(f"{name}_standard_error", numbers.get("standard_error") if name == "log_prob" else None)
        rows.append((_words(name), number(value) if error is None else measured(value, error)))
    return rows


def measured(value: float, error: float) -> str:
    """A number and its standard error, which has two digits, both to the same decimal: ``-543.99, 3.999 -> "-544.0 ± 4.0"``."""
    if not (math.isfinite(error) and error > 0):
        return f"{number(value)} ± {error:.2g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"


def number(value: float) -> str:
    """A number as a reader wants it: whole ones whole, others with five digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:#,.5g}"


def _words(name: str) -> str:
    fixed = {"log_prob": "log-likelihood (nats)", "elbo": "ELBO (nats)", "num_examples": "examples"}
    words = re.sub(r"_(?![^\[]*\])", " ", name.replace("bits_per_dim", "bits/dim"))  # what stands in brackets is a name
    return fixed.get(name) or words.replace(" 2d", " on the plane")


_YAML = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*$)|(?P<key>[^\s:,{}\[\]#'"][^:,{}\[\]#\n]*?(?=:(?:\s|$)))|(?P<string>"[^"]*"|'[^']*')"""
    r"""|(?P<number>(?<![\w./@-])-?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w./@-]))|(?P<word>\b(?:true|false|null)\b)""",
    re.MULTILINE,
)


def yaml_tokens(text: str) -> list[tuple[str, str]]:
    """The text in pieces and what each is: ``key``, ``string``, ``number``, ``word``, ``comment`` or ``""``."""
    tokens, position = list[tuple[str, str]](), 0
    for match in _YAML.finditer(text):
        kind, token = match.lastgroup or "", match.group()
        dash = "- " if kind == "key" and token.startswith("- ") else ""
        tokens += [("", text[position : match.start()] + dash), (kind, token[len(dash) :])]
        position = match.end()
    return [(kind, token) for kind, token in [*tokens, ("", text[position:])] if token]
