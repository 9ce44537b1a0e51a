"""A corner plot of a posterior.

N draws, P parameters.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffeo import Evaluator, Target
from diffeo.evaluators.pictures import DENSITY, INK, MUTED, new_figure, save
from diffeo.randomness import seeded
from diffeo_loft.config_evaluators import PosteriorPairs
from diffeo_loft.evaluators.draws import ExactDraws, chunks, require_model, require_target
from diffeo_loft.evaluators.scalars import scalar_columns, select

__all__ = ["PosteriorPairsEvaluator"]

Array = npt.NDArray[np.float64]
Range = tuple[float, float]

EXACT = "#c2410c"

SHOWN = (0.005, 0.995)
"""Quantiles between which a parameter is drawn: one wild draw in heavy tails would leave nothing to see of the others."""

BINS = 50
POINTS = 1500
"""Exact draws drawn as dots; more hide what is below."""


class PosteriorPairsEvaluator(Evaluator):
    """Draws ``posterior_pairs.png``: each parameter's histogram on the diagonal, below it the density of each pair.

    Parameters are those the user wrote, constraints undone. Where the target can be drawn from exactly, its draws are dots
    and outlines over those of the model. Each axis holds the central 99 % of the draws. Returns no numbers.
    """

    def __init__(self, config: PosteriorPairs) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        require_model(model, "posterior_pairs")
        select(require_target(data, "posterior_pairs"), self.config.parameters, model.like)

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        names, places = select(data, self.config.parameters, model.like)
        names, places = names[: self.config.max_parameters], places[: self.config.max_parameters]
        with torch.no_grad(), seeded(self.config.seed):
            drawn = self._columns(model, data, places, model.like)
            source = data if isinstance(data, ExactDraws) else None
            exact = None if source is None else self._columns(source, cast(Target, data), places, model.like)
        if not len(drawn):
            raise ValueError(f"expected finite draws for 'posterior_pairs'; got none among {self.config.num_samples}")
        self._draw(names, drawn, exact, folder / "posterior_pairs.png")
        return {}

    def _columns(self, source: Any, target: Target, places: list[int], like: torch.Tensor) -> Array:
        """Finite draws of the model, or of the target itself: (N, P)."""
        parts = [
            scalar_columns(target.by_name(source.sample((size,)).to(like)))[:, places].double().cpu().numpy()
            for size in chunks(self.config.num_samples, self.config.batch_size)
        ]
        values = np.concatenate(parts)
        return values[np.isfinite(values).all(-1)]

    def _draw(self, names: list[str], drawn: Array, exact: Array | None, path: Path) -> None:
        count = len(names)
        ranges = [_range(column) for column in drawn.T]
        figure = new_figure(1.0 + 1.45 * count, 0.8 + 1.45 * count)
        for row in range(count):
            for column in range(row + 1):
                axes = figure.add_subplot(count, count, row * count + column + 1)
                if row == column:
                    _histogram(axes, drawn[:, row], None if exact is None else exact[:, row], ranges[row])
                else:
                    pair = [column, row]
                    _density(
                        axes, drawn[:, pair], None if exact is None else exact[:, pair], ranges[column], ranges[row]
                    )
                self._label(axes, names[column] if row == count - 1 else "", names[row] if column == 0 < row else "")
        figure.tight_layout(pad=0.8, h_pad=0.4, w_pad=0.4)
        orange = "" if exact is None else "; orange: exact draws"
        save(figure, path, f"Draws of the model, the central 99 % along each axis{orange}.")

    def _label(self, axes: Axes, below: str, left: str) -> None:
        axes.set_xlabel(below, fontsize=8, color=INK)
        axes.set_ylabel(left, fontsize=8, color=INK)
        axes.tick_params(
            labelsize=6.5, colors=MUTED, length=2, color="#c9d1d8", labelbottom=bool(below), labelleft=bool(left)
        )
        axes.xaxis.set_major_locator(MaxNLocator(3))
        for spine in axes.spines.values():
            spine.set_color("#c9d1d8")


def _range(values: Array) -> Range:
    low, high = np.quantile(values, SHOWN)
    room = 0.05 * (high - low) or 0.5
    return float(low - room), float(high + room)


def _histogram(axes: Axes, drawn: Array, exact: Array | None, limits: Range) -> None:
    axes.hist(drawn, bins=BINS, range=limits, density=True, color="#8cc8c6")
    if exact is not None:
        axes.hist(exact, bins=BINS, range=limits, density=True, histtype="step", color=EXACT, linewidth=1)
    axes.set_xlim(*limits)
    axes.set_yticks([])


def _density(axes: Axes, drawn: Array, exact: Array | None, across: Range, up: Range) -> None:
    axes.hist2d(*drawn.T, bins=BINS, range=(across, up), density=True, cmap=DENSITY)
    if exact is not None:
        axes.plot(*exact[:POINTS].T, ".", color=EXACT, markersize=0.8, alpha=0.5)
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.yaxis.set_major_locator(MaxNLocator(3))
