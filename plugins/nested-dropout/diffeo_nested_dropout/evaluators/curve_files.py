"""Curves over the number of latents kept, as a table and as a picture.

N examples, K numbers of latents kept.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from torch import Tensor

from diffeo.evaluators.pictures import INK, MUTED, new_figure, save, title

__all__ = ["draw_curves", "write_curves"]

LOWEST = 1e-6
"""What is drawn, relative to the largest error: with all latents only rounding is left."""

APART = 1.4
"""Ratio of numbers on an axis of powers of two whose labels have room beside each other."""

STYLES: Mapping[str, Mapping[str, Any]] = {
    "mse": {"color": "#1f5b84", "linewidth": 2.2, "marker": "o", "markersize": 4},
    "pca": {"color": INK, "linewidth": 1.3, "linestyle": "--"},
    "natural": {"color": "#3a93a5", "linewidth": 1.3},
    "reversed": {"color": "#c8783c", "linewidth": 1.3},
    "random": {"color": "#8d99a5", "linewidth": 1.3},
}


def write_curves(kept: Sequence[int], curves: Mapping[str, Float[Tensor, "N K"]], path: Path) -> None:
    """A .csv with a row for every number of latents kept: means over examples and their standard errors."""
    names, columns = ["kept"], list[list[float]]()
    for name, errors in curves.items():
        deviation = errors.std(0) if len(errors) > 1 else errors.new_full((len(kept),), torch.nan)
        names += [name, f"{name}_standard_error"]
        columns += [errors.mean(0).tolist(), (deviation / math.sqrt(len(errors))).tolist()]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for number, *row in zip(kept, *columns, strict=True):
            writer.writerow([number, *(f"{value:.10g}" for value in row)])


def draw_curves(
    kept: Sequence[int], curves: Mapping[str, Float[Tensor, " K"]], labels: Mapping[str, str], path: Path
) -> None:
    """Mean errors on a logarithmic axis."""
    figure = new_figure(6.4, 4.0)
    axes = figure.add_subplot()
    finite = torch.cat([curve[curve.isfinite()] for curve in curves.values()])
    lowest = LOWEST * float(finite.max()) if len(finite) else 0.0
    for name, curve in curves.items():
        heights = torch.where(curve.isfinite() & (curve > lowest), curve, torch.nan)
        axes.plot(kept, heights.tolist(), label=labels[name], **STYLES[name])
    if bool((finite > 0).any()):
        axes.set_yscale("log")
    _dress(axes, kept)
    title(axes, "mean squared error per dimension")
    figure.tight_layout(pad=0.8)
    save(figure, path, "Error of what the first latents alone are decoded to, in units of the data, squared.")


def _dress(axes: Axes, kept: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(kept)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.tick_params(labelsize=8, colors=MUTED, color="#c9d1d8", which="both")
    axes.set_xlabel("latents kept", fontsize=9, color=MUTED)
    axes.grid(color="#eceff2", linewidth=0.8)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#c9d1d8")


def _ticks(kept: Sequence[int]) -> list[int]:
    """The numbers themselves, as far as their labels have room, the largest one first."""
    ticks: list[int] = []
    for number in reversed(kept):
        if not ticks or ticks[-1] / number > APART:
            ticks.append(number)
    return ticks
