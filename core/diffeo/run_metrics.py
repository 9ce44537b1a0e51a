"""What a run wrote down, read back without torch, and the numbers that head its report."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "LOG_WEIGHT",
    "Headline",
    "Log",
    "evaluated",
    "headlines",
    "incidents",
    "likelihood_unit",
    "log_weights",
    "read_log",
]

LOG_WEIGHT = "log_weight/"
"""Metrics of this prefix say what a part of the flow adds to log p: ``log_weight/<path of the module>.<component>``."""


class Log(NamedTuple):
    """Scalars of a run by name, each as (steps, values): ``loss``, ``lr``, ...; ``val/loss``, ... for validation."""

    series: dict[str, tuple[list[int], list[float]]]
    seconds: float
    """Time since the start of training at the last line."""
    last_step: int

    def first(self, name: str) -> tuple[int, float] | None:
        """The first finite value of a series, with its step."""
        steps, values = self.series.get(name, ([], []))
        return next(((step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)), None)


class Headline(NamedTuple):
    """One of the numbers a reader looks for first."""

    label: str
    value: str
    detail: str = ""


def read_log(path: Path) -> Log:
    """The log of a run; empty if there is no file.

    Records of training and of validation (whose names have a slash) are kept apart. A step that was logged again after a
    resume counts once, with its last values. A last line that was cut off by a crash is left out.
    """
    rows: dict[tuple[bool, int], dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows[any("/" in name for name in row), int(row["step"])] = row
    series: dict[str, tuple[list[int], list[float]]] = {}
    for (_, step), row in sorted(rows.items()):
        for name, value in row.items():
            if name not in ("step", "time") and isinstance(value, (int, float)):
                steps, values = series.setdefault(name, ([], []))
                steps.append(step)
                values.append(float(value))
    seconds = max((float(row.get("time", 0.0)) for row in rows.values()), default=0.0)
    return Log(series, seconds, max((step for _, step in rows), default=0))


def log_weights(log: Log) -> dict[str, float]:
    """What every part of the flow adds to log p, in nats, when it was last looked at: by the path of its module."""
    found = {name: values[-1] for name, (_, values) in log.series.items() if name.startswith(LOG_WEIGHT) and values}
    return {name.removeprefix(LOG_WEIGHT).rpartition(".")[0]: value for name, value in found.items()}


def incidents(path: Path) -> list[tuple[int, str]]:
    """(step, what happened) of everything that went wrong and was survived, or ended the run."""
    found: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        row = json.loads(line)
        found.append((row["step"], row["incident"]))
    return found


def evaluated(run: Path) -> dict[str, float]:
    """The numbers of the evaluators by ``<evaluator>/<name>``; empty before they ran."""
    path = run / "report" / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def likelihood_unit(metrics: Mapping[str, float]) -> str:
    """``"bits/dim"`` where a baseline in that unit was measured, which means integer data; else ``"nats"``."""
    return "bits/dim" if "likelihood/gaussian_bits_per_dim" in metrics else "nats"


def headlines(log: Log, metrics: Mapping[str, float], *, unit: str | None = None) -> list[Headline]:
    """The likelihood on held-out data beside where it began and the baseline.

    ``unit`` is ``"bits/dim"`` or ``"nats"``, by default what ``likelihood_unit`` says.
    """
    bits, nats = metrics.get("likelihood/bits_per_dim"), metrics.get("likelihood/log_prob")
    if bits is None or nats is None:
        return []
    gaussian = metrics.get("likelihood/gaussian_bits_per_dim")
    unit = unit or likelihood_unit(metrics)
    # Both are the same number in two units, so their quotient converts the others.
    factor = 1.0 if unit == "bits/dim" else nats / bits if bits else math.nan
    error = metrics.get("likelihood/bits_per_dim_standard_error", math.nan) * abs(factor)
    count = metrics.get("likelihood/num_examples", math.nan)
    label = "bits per dimension" if unit == "bits/dim" else "log-likelihood in nats"
    found = [Headline(label, f"{bits * factor:.3f} ± {error:.3f}", f"{count:,.0f} held-out examples")]
    start = log.first("val/bits_per_dim") or log.first("bits_per_dim")
    if start is not None:
        found.append(Headline("where it began", f"{start[1] * factor:.3f}", f"{unit} at step {start[0]:,}"))
    if gaussian is not None:
        found.append(Headline("independent Gaussians", f"{gaussian * factor:.3f}", f"{unit}, one per dimension"))
    return found
