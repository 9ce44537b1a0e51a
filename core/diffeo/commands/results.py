"""What ``train`` and ``evaluate`` print when they are done."""

from collections.abc import Mapping
from pathlib import Path

import click

from diffeo.commands.output import print_table
from diffeo.run_metrics import headlines, read_log

__all__ = ["print_results"]


def print_results(run: Path, metrics: Mapping[str, float]) -> None:
    """The numbers that matter most, then every number of the evaluators, then where the report is."""
    lines = [(item.label, item.value, item.detail) for item in headlines(read_log(run / "metrics.jsonl"), metrics)]
    for label, value, detail in lines:
        click.echo(f"{label}: {value}" + (f" ({detail})" if detail else ""))
    if metrics:
        click.echo()
        print_table(("metric", "value"), [(name, f"{value:.6g}") for name, value in metrics.items()], right={1})
        click.echo()
    report = run / "report" / "index.html"
    if report.is_file():
        click.echo(f"report: {report}")
