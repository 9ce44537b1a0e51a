"""VFlow against Glow on the checkerboard: Chen et al. 2020, arXiv:2002.09741, figures 2 and 4, beside the numbers of the paper.

Usage: python integration/benchmarks/vflow_checkerboard.py [--out FOLDER] [--seeds 0-4] [--steps N] [--figure-4] [--only NAME ...]

Trains the seeds of each row together, with the recipes vflow/checkerboard-glow and vflow/checkerboard-vflow, and prints nats of
10,000 test points that no model has seen, with 100 importance draws: mean and standard deviation over seeds, the worst of them, the
standard error of a mean over test points, the ELBO beside it, and whether what must hold does. Of the steps of a VFlow one is q.
``--figure-4`` takes every point of that figure, 35 of them instead of 3, and draws it. A folder that was begun is gone on with;
what is finished there is only read.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seed_reports import reports

import diffeo
from diffeo.evaluators.pictures import new_figure, save, title
from diffeo.seed_names import parse_seeds
from diffeo.seed_runs import Spread

BEST = -math.log(32)
"""The log-density of the data: no model can have more in expectation."""
NETWORK = "{separate_mlps: {hidden: [50, 50], init: uniform}}"
PAPER = {(2, 2): -3.80, (2, 3): -3.67, (2, 20): -3.54, (3, 2): -3.69, (10, 3): -3.51}
"""Nats that the paper prints, by dimensions and steps; its test points are 1,000."""
LEAST = {(10, 3): (-3.57, -3.62), (10, 4): (-3.535, -math.inf)}
"""What these settings are known to reach: the mean over seeds, and each seed."""
MARGIN = 0.03
"""By how much the VFlow of three steps is above the Glow of three."""


class Row(NamedTuple):
    """A model: dimensions of (x, z), 2 for a Glow, and steps, of which a VFlow has one in q."""

    dims: int
    steps: int

    @property
    def name(self) -> str:
        return f"glow-{self.steps}" if self.dims == 2 else f"vflow-{self.dims}d-{self.steps}"

    @property
    def paper(self) -> float | None:
        return PAPER.get((self.dims, self.steps))

    def spec(self, steps: int | None) -> diffeo.Spec:
        overrides = [] if steps is None else [f"trainer.steps={steps}"]
        overrides += ["evaluators=[{likelihood: {num_samples: 100, max_examples: 10000}}]"]
        if self.dims == 2:
            overrides += [f"model.flow.steps[0].repeat.times={self.steps}"]
            return diffeo.load_spec("vflow/checkerboard-glow", overrides=overrides)
        overrides += [f"model.flow.steps[1].repeat.times={self.steps - 1}"]
        overrides += [f"model.flow.steps[0].vflow.dims={self.dims - 2}"]
        if self.dims == 3:  # one entry has no two parts for couplings
            normal = f"{{conditional_normal: {{network: {NETWORK}}}}}"
            overrides += [f"model.flow.steps[0].vflow.distribution={normal}"]
        return diffeo.load_spec("vflow/checkerboard-vflow", overrides=overrides)


class Measured(NamedTuple):
    """Nats of a row: by seed, and what goes with them."""

    log_prob: Sequence[float]
    elbo: Sequence[float]
    standard_error: float
    """Of the mean over test points, of the seed with the largest."""

    @property
    def spread(self) -> Spread:
        return Spread.of(self.log_prob)


TABLE = [Row(10, 3), Row(10, 4), Row(2, 3)]
FIGURE_4 = [Row(dims, steps) for dims in (2, 4, 6, 8, 10) for steps in (2, 3, 4, 5, 10, 15, 20)]


def measured(row: Row, folder: Path, seeds: Sequence[int], steps: int | None) -> Measured:
    """Train what is not trained yet; what the evaluator wrote for every seed."""
    metrics = reports(row.spec(steps), folder / row.name, seeds)
    return Measured(
        [each["likelihood/log_prob"] for each in metrics],
        [each.get("likelihood/elbo", each["likelihood/log_prob"]) for each in metrics],
        max(each["likelihood/standard_error"] for each in metrics),
    )


def print_table(results: dict[Row, Measured]) -> None:
    print(f"\n| model | paper | nats | sd | worst seed | standard error | ELBO |\n|{'---|' * 7}")
    for row, found in results.items():
        paper = "" if row.paper is None else f"{row.paper:.2f}"
        spread, elbo = found.spread, Spread.of(found.elbo)
        numbers = f"{spread.mean:.3f} | {spread.sd:.3f} | {min(found.log_prob):.3f} | {found.standard_error:.3f}"
        print(f"| {row.name} | {paper} | {numbers} | {elbo.mean:.3f} |")
    print(f"\nthe data: {BEST:.4f}; {len(next(iter(results.values())).log_prob)} seeds a row")


def print_checks(results: dict[Row, Measured]) -> None:
    """What must hold of a full run, one a line."""
    for row, found in results.items():
        over = max(found.log_prob) - BEST
        _say(f"{row.name}: no seed above the data", f"{over:+.4f}", holds=over <= 3 * found.standard_error)
        gain = min(high - low for high, low in zip(found.log_prob, found.elbo, strict=True))
        _say(f"{row.name}: the importance-weighted value is at least the ELBO", f"{gain:+.4f}", holds=gain >= 0)
        if row in LEAST:
            mean, each = LEAST[row]
            holds = found.spread.mean >= mean and min(found.log_prob) >= each
            what = f"{row.name}: a mean of at least {mean}" + (
                f", each seed at least {each}" if each > -math.inf else ""
            )
            _say(what, f"{found.spread.mean:.3f}", holds=holds)
    wide, plain = results.get(Row(10, 3)), results.get(Row(2, 3))
    if wide and plain:
        gap = wide.spread.mean - plain.spread.mean
        _say(f"vflow-10d-3 is above glow-3 by at least {MARGIN}", f"{gap:+.3f}", holds=gap >= MARGIN)


def _say(what: str, number: str, *, holds: bool) -> None:
    print(f"{'holds' if holds else 'DOES NOT HOLD'}: {what} ({number})")


def draw(results: dict[Row, Measured], path: Path) -> None:
    """Nats against steps, a line for every number of dimensions."""
    figure = new_figure(5.5, 4.0)
    axes = figure.add_subplot()
    for dims in sorted({row.dims for row in results}):
        rows = sorted(row for row in results if row.dims == dims)
        values = [results[row].spread for row in rows]
        label = "Glow" if dims == 2 else f"VFlow, {dims} dimensions"
        axes.errorbar(
            [row.steps for row in rows],
            [value.mean for value in values],
            [value.sd if math.isfinite(value.sd) else 0.0 for value in values],
            marker="o",
            markersize=3,
            capsize=2,
            label=label,
        )
    axes.axhline(BEST, color="#66727f", linewidth=0.8, linestyle="--")
    axes.set_xlabel("steps")
    axes.legend(fontsize=8, frameon=False)
    title(axes, "nats on the checkerboard")
    figure.tight_layout()
    save(figure, path, "Log-likelihood against steps; dashed, that of the data. Bars: standard deviation over seeds.")


def main() -> None:
    parser = argparse.ArgumentParser(description="VFlow against Glow on the checkerboard.")
    parser.add_argument("--out", type=Path, default=Path("runs/vflow-checkerboard"), help="folder of the runs")
    parser.add_argument("--seeds", type=parse_seeds, default=(0, 1, 2, 3, 4))
    parser.add_argument("--steps", type=int, help="instead of 100,000, to try it out")
    parser.add_argument("--figure-4", action="store_true", help="every point of figure 4, and the figure")
    names = [row.name for row in dict.fromkeys((*TABLE, *FIGURE_4, Row(3, 2)))]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some rows: {', '.join(names)}")
    arguments = parser.parse_args()
    rows = [*TABLE, *FIGURE_4] if arguments.figure_4 else TABLE
    if arguments.only:
        rows = [row for row in (*TABLE, *FIGURE_4, Row(3, 2)) if row.name in arguments.only]
    results = {row: measured(row, arguments.out, arguments.seeds, arguments.steps) for row in dict.fromkeys(rows)}
    print_table(results)
    print_checks(results)
    if arguments.figure_4:
        draw(results, arguments.out / "figure-4.png")
        print(arguments.out / "figure-4.png")


if __name__ == "__main__":
    main()
