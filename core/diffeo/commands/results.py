"""What ``train`` and ``evaluate`` print when they are done."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffeo.commands.output import is_main_process, print_table
from diffeo.run_metrics import headlines, read_log

if TYPE_CHECKING:
    from diffeo.seed_runs import SeedRuns

__all__ = ["print_results", "print_seeds"]


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


def print_seeds(result: "SeedRuns") -> None:
    """Mean and standard deviation over seeds of every metric, then what is left to do; the exit status says how it ended."""
    if is_main_process():
        _print_spreads(result)
        for seed, reason in result.failures.items():
            click.echo(f"seed {seed} failed: {reason}", err=True)
        if "stopped" in result.outcomes.values():
            click.echo(f"stopped; go on with: diffeo train --resume {result.path}")
        click.echo(f"runs: {result.path}")
    if result.signal is not None:
        raise SystemExit(128 + result.signal)
    if result.failures:
        raise SystemExit(1)


def _print_spreads(result: "SeedRuns") -> None:
    if result.metrics:
        count = max(one.count for one in result.metrics.values())
        rows = [(name, f"{one.mean:.6g} ± {one.sd:.2g}") for name, one in result.metrics.items()]
        click.echo(f"mean ± standard deviation over {count} seeds\n")
        print_table(("metric", "value"), rows, right={1})
        click.echo()
