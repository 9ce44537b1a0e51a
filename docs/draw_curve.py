"""Draw the training and validation curve of a run: python docs/draw_curve.py RUN OUT.png."""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from diffeo.run_metrics import read_log


def main(run: Path, out: Path) -> None:
    """Bits per dimension over steps, without the first ones, which would hide the rest."""
    log = read_log(run / "metrics.jsonl")
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot()
    for name, label in (("bits_per_dim", "training"), ("val/bits_per_dim", "validation")):
        steps, values = log.series[name]
        shown = [(step, value) for step, value in zip(steps, values, strict=True) if step >= log.last_step / 25]
        axes.plot(*zip(*shown, strict=True), label=label, linewidth=1.2)
    axes.set(xlabel="step", ylabel="bits/dim")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
