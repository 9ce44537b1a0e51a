"""How pictures look: one style for all, drawn with matplotlib's objects so that no global state is touched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

__all__ = ["DENSITY", "INK", "MUTED", "contact_sheet", "new_figure", "save", "title"]

INK = "#1d2733"
MUTED = "#66727f"
DENSITY = LinearSegmentedColormap.from_list(
    "diffeo", ["#ffffff", "#d9ecea", "#8cc8c6", "#3a93a5", "#1f5b84", "#1b2a55", "#120f2d"]
)
"""White is zero: the densities of two pictures with the same scale can be compared by eye."""

Array = npt.NDArray[Any]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches on white."""
    figure = Figure(figsize=(width, height), dpi=144, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def title(axes: Axes, text: str) -> None:
    """The heading of a panel."""
    axes.set_title(text, loc="left", fontsize=10, color=INK, pad=8)


def save(figure: Figure, path: Path, caption: str) -> Path:
    """Write a PNG whose ``Description`` is the caption; the report shows it below the picture."""
    figure.savefig(path, format="png", metadata={"Description": caption, "Software": "diffeo"})
    return path


def contact_sheet(images: Array, *, gap: int = 1) -> Array:
    """``(rows, columns, C, H, W)`` in [0, 1] -> one ``(height, width, 3)`` picture; the gaps are white."""
    rows, columns, channels, height, width = images.shape
    if channels not in (1, 3):
        raise ValueError(f"expected images with 1 or 3 channels; got {channels}")
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = np.moveaxis(images[row, column], 0, -1)
    return sheet


def row_labels(axes: Axes, labels: Sequence[str], *, height: int, gap: int) -> None:
    """Write a label left of every row of a contact sheet whose images are ``height`` pixels high."""
    for row, label in enumerate(labels):
        centre = row * (height + gap) + (height - 1) / 2
        axes.text(-0.12 * height, centre, label, ha="right", va="center", fontsize=8.5, color=MUTED)
