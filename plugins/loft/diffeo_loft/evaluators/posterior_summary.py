"""What a posterior says about each parameter.

N draws, P parameters, Q quantiles.
"""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from diffeo import Evaluator
from diffeo.evaluators.pictures import INK, MUTED, new_figure, save, title
from diffeo.randomness import seeded
from diffeo_loft.config_evaluators import PosteriorSummary
from diffeo_loft.evaluators.draws import require_model, require_target, weighted_draws
from diffeo_loft.evaluators.scalars import scalar_columns, select

__all__ = ["PosteriorSummaryEvaluator"]

Array = npt.NDArray[np.float64]


class _Summary(NamedTuple):
    names: list[str]
    mean: Array
    sd: Array
    quantiles: Array
    """(Q, P)"""
    weighted_mean: Array
    weighted_sd: Array


class PosteriorSummaryEvaluator(Evaluator):
    """Summarises the parameters as the user wrote them, constraints undone, by name.

    ``posterior_summary.csv`` holds ``mean``, ``sd``, the quantiles, ``weighted_mean`` and ``weighted_sd`` of every number;
    of the first ``max_parameters`` the metrics hold ``<name>_mean``, ``<name>_sd`` and ``<name>_weighted_mean``, and
    ``posterior_summary.png`` shows mean and quantiles. Weighted values are self-normalised importance sampling,
    ``sum w x / sum w``: they correct what the model gets wrong, as long as ``marginal_likelihood/pareto_k`` is below 0.7.
    Draws that are not finite are left out.
    """

    def __init__(self, config: PosteriorSummary) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        require_model(model, "posterior_summary")
        select(require_target(data, "posterior_summary"), self.config.parameters, model.like)

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        with torch.no_grad(), seeded(self.config.seed):
            summary = self._summarise(model, data)
        self._write(summary, folder / "posterior_summary.csv")
        self._draw(summary, folder / "posterior_summary.png")
        numbers: dict[str, float] = {}
        for place, name in enumerate(summary.names[: self.config.max_parameters]):
            numbers[f"{name}_mean"] = float(summary.mean[place])
            numbers[f"{name}_sd"] = float(summary.sd[place])
            numbers[f"{name}_weighted_mean"] = float(summary.weighted_mean[place])
        return numbers

    def _summarise(self, model: Any, data: Any) -> _Summary:
        config = self.config
        names, places = select(data, config.parameters, model.like)
        values, log_weights = list[Array](), list[Array]()
        for theta, log_weight in weighted_draws(model, data, config.num_samples, config.batch_size):
            values.append(scalar_columns(data.by_name(theta))[:, places].double().cpu().numpy())
            log_weights.append(log_weight.cpu().numpy())
        x, log_weight = np.concatenate(values), np.concatenate(log_weights)
        kept = np.isfinite(log_weight) & np.isfinite(x).all(-1)
        if not kept.any():
            raise ValueError(f"expected finite draws for 'posterior_summary'; got none among {len(x)}")
        x, log_weight = x[kept], log_weight[kept]
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        weighted = weight @ x
        return _Summary(
            names,
            x.mean(0),
            x.std(0),
            np.quantile(x, config.quantiles, axis=0),
            weighted,
            np.sqrt(weight @ (x - weighted) ** 2),
        )

    def _write(self, summary: _Summary, path: Path) -> None:
        quantiles = [f"q{level:g}" for level in self.config.quantiles]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["parameter", "mean", "sd", *quantiles, "weighted_mean", "weighted_sd"])
            columns = [summary.mean, summary.sd, *summary.quantiles, summary.weighted_mean, summary.weighted_sd]
            for name, *row in zip(summary.names, *columns, strict=True):
                writer.writerow([name, *(f"{value:.6g}" for value in row)])

    def _draw(self, summary: _Summary, path: Path) -> None:
        shown = min(self.config.max_parameters, len(summary.names))
        low, high = summary.quantiles.min(0)[:shown], summary.quantiles.max(0)[:shown]
        rows = np.arange(shown)[::-1]
        figure = new_figure(5.5, 0.9 + 0.26 * shown)
        axes = figure.add_subplot()
        axes.axvline(0, color="#d5dbe1", linewidth=1)
        axes.hlines(rows, low, high, color="#3a93a5", linewidth=2)
        axes.plot(summary.mean[:shown], rows, "o", color=INK, markersize=4, label="mean")
        axes.plot(summary.weighted_mean[:shown], rows, "x", color="#c2410c", markersize=5, label="weighted mean")
        axes.set_yticks(rows, summary.names[:shown])
        axes.tick_params(labelsize=8, colors=MUTED, color="#c9d1d8")
        axes.legend(fontsize=7, frameon=False, loc="best")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color("#c9d1d8")
        title(axes, "posterior")
        figure.tight_layout(pad=0.8)
        levels = sorted(self.config.quantiles)
        of = "" if shown == len(summary.names) else f" of the first {shown} of {len(summary.names)} parameters"
        save(figure, path, f"Means, and the range from the {levels[0]:g} to the {levels[-1]:g} quantile{of}.")
