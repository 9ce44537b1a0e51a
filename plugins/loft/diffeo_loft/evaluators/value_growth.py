"""How values grow through the layers of a flow.

N draws, L layers, Q quantiles.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from diffeo import Bijector, ChainBijector, Evaluator, FlowModel, InvertBijector, RepeatBijector
from diffeo.evaluators.pictures import INK, MUTED, new_figure, save, title
from diffeo.randomness import seeded
from diffeo.summary import name_of
from diffeo_loft.config_evaluators import ValueGrowth
from diffeo_loft.evaluators.draws import chunks, require_model

__all__ = ["Layer", "ValueGrowthEvaluator", "layers"]

Way = Literal["forward", "inverse"]
Array = npt.NDArray[np.float64]

QUANTILES = {"median": 0.5, "q75": 0.75, "q90": 0.9, "largest": 1.0}
"""As the plots of Andrade 2024 have them."""


class Layer(NamedTuple):
    """One bijector and the way it is passed."""

    step: Bijector
    way: Way

    def apply(self, z: Tensor) -> Tensor:
        return (self.step.forward(z) if self.way == "forward" else self.step.inverse(z))[0]


def layers(flow: FlowModel) -> list[Layer]:
    """The bijectors that a draw passes, base first, combinators opened."""
    way: Way = "forward" if flow.start == "base" else "inverse"
    return [layer for step in _in_order(flow.steps, way) for layer in _opened(step, way)]


def _opened(step: nn.Module, way: Way) -> Iterator[Layer]:
    if isinstance(step, InvertBijector):
        way = "inverse" if way == "forward" else "forward"
    if isinstance(step, ChainBijector | InvertBijector):
        lists = [step.steps]
    elif isinstance(step, RepeatBijector):
        lists = [cast(nn.ModuleList, steps) for steps in _in_order(step.iterations, way)]
    else:
        yield Layer(cast(Bijector, step), way)
        return
    for steps in lists:
        for part in _in_order(steps, way):
            yield from _opened(part, way)


def _in_order(steps: nn.ModuleList, way: Way) -> Sequence[nn.Module]:
    return list(steps) if way == "forward" else list(reversed(steps))


class ValueGrowthEvaluator(Evaluator):
    """Quantiles of |z| over all entries of N draws, for the base and after every layer on the way to the data.

    Deep flows without bounds on their scales explode here first. ``value_growth.csv`` has a row per layer (median, 75 % and
    90 % quantile, largest, and the part of the draws with an entry that is not finite, which counts as infinite), and
    ``value_growth.png`` shows them on a logarithmic axis. Numbers: ``largest``, the largest finite |z| after any layer;
    ``last_largest`` after the last; ``layers``; ``nonfinite``, the part of the draws that are not finite in the end.

    Shapes: the flow may start at either end; its combinators are opened. Source: Andrade 2024, arXiv:2402.16408, its figures
    of values by layer.
    """

    def __init__(self, config: ValueGrowth) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        if not isinstance(model, FlowModel):
            raise ValueError(f"expected a flow for 'value_growth'; got {type(model).__name__}")
        require_model(model, "value_growth")

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        with torch.no_grad(), seeded(self.config.seed):
            names, table = self._measure(model)
        self._write(names, table, folder / "value_growth.csv")
        self._draw(table, folder / "value_growth.png")
        largest = table[:, -2]
        finite = largest[np.isfinite(largest)]
        return {
            "largest": float(finite.max()) if len(finite) else float("nan"),
            "last_largest": float(largest[-1]) if np.isfinite(largest[-1]) else float("nan"),
            "nonfinite": float(table[-1, -1]),
            "layers": float(len(names) - 1),
        }

    def _measure(self, model: FlowModel) -> tuple[list[str], Array]:
        """Names, and a row (Q + 1) for the base and each layer: the quantiles and the part that is not finite."""
        parts = [model.base.sample((size,)) for size in chunks(self.config.num_samples, self.config.batch_size)]
        names, rows = ["base"], [_row(parts)]
        for number, layer in enumerate(layers(model), 1):
            parts = [layer.apply(part) for part in parts]
            names.append(f"{number} {name_of(layer.step)}")
            rows.append(_row(parts))
        return names, np.stack(rows)

    def _write(self, names: list[str], table: Array, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["layer", *QUANTILES, "nonfinite"])
            writer.writerows([name, *(f"{value:.6g}" for value in row)] for name, row in zip(names, table, strict=True))

    def _draw(self, table: Array, path: Path) -> None:
        figure = new_figure(5.5, 3.4)
        axes = figure.add_subplot()
        shown = np.where(np.isfinite(table) & (table > 0), table, np.nan)
        colours = ("#120f2d", "#1f5b84", "#3a93a5", "#c2410c")
        for column, (name, colour) in enumerate(zip(QUANTILES, colours, strict=True)):
            axes.plot(np.log10(shown[:, column]), color=colour, linewidth=1.4, marker=".", markersize=3, label=name)
        # Not a logarithmic scale: its ticks overflow where values are close to doing so.
        axes.yaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:g}}}$")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("layer, from the base to the data", fontsize=8, color=INK)
        axes.set_ylabel("|z|", fontsize=8, color=INK)
        axes.tick_params(labelsize=7.5, colors=MUTED, color="#c9d1d8")
        axes.legend(fontsize=7, frameon=False, loc="best")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        title(axes, "values after every layer")
        figure.tight_layout(pad=0.8)
        lost = "" if np.isfinite(table).all() else "; where a line ends, values are not finite"
        save(figure, path, f"Quantiles of |z| over all entries of {self.config.num_samples} draws{lost}.")


def _row(parts: Sequence[Tensor]) -> Array:
    z = np.concatenate([part.flatten(1).double().cpu().numpy() for part in parts])
    lost = ~np.isfinite(z).all(-1)
    size = np.where(np.isfinite(z), np.abs(z), np.inf)
    # "higher" takes a value that is there: between a finite and an infinite one nothing can be interpolated.
    return np.array([*np.quantile(size, list(QUANTILES.values()), method="higher"), lost.mean()])
