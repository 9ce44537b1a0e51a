"""The density of a flow on the plane.

Legend: G grid points along an axis.
"""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from diffeo.config_evaluators import Density2D
from diffeo.dataset import Dataset, Target
from diffeo.evaluator import Evaluator
from diffeo.evaluators.examples import first, require_split
from diffeo.evaluators.pictures import DENSITY, MUTED, new_figure, save, title
from diffeo.randomness import seeded

__all__ = ["Density2DEvaluator", "KnownDensity"]

_CONTEXTS = 32
"""Contexts over which a conditional density is averaged: enough for classes, affordable on the grid."""

Array = npt.NDArray[np.float64]


@runtime_checkable
class KnownDensity(Protocol):
    """What a data set may have beyond the protocol: its exact log-density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of ``(*B, *shape)``."""
        ...


class Density2DEvaluator(Evaluator):
    """Draws ``density_2d.png``: the data, the density of the model and, where it is known, the true density.

    All panels share one scale, so colours can be compared. A conditional density is averaged over the contexts of the
    data (classes by their frequency; otherwise the first 32). ``mass`` is the integral of the model's density over
    the region that is drawn, by the midpoint rule: close to 1 for a model of the data, and a check of its
    log-determinants.
    """

    def __init__(self, config: Density2D) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        if tuple(model.event_shape) != (2,):
            raise ValueError(f"expected points on the plane, shape (2,), for 'density_2d'; got {model.event_shape}")
        if isinstance(data, Dataset):
            require_split(data, self.config.split)

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        with torch.no_grad(), seeded(self.config.seed):
            examples = self._examples(model, data)
            low, high = self._region(examples["x"])
            points, area = _grid(low, high, self.config.resolution, model.like)
            log_density = self._log_prob(model, points, examples.get("context"))
            truth = self._truth(data, points)
        size = self.config.resolution
        density = log_density.double().exp().reshape(size, size).cpu().numpy()
        panels = [(self._name(data), _histogram(examples["x"], low, high)), ("model", density)]
        if truth is not None:
            panels.append(("true density", truth.double().exp().reshape(size, size).cpu().numpy()))
        self._draw(panels, low, high, folder / "density_2d.png")
        return {"mass": float(density.sum()) * area}

    def _examples(self, model: Any, data: Any) -> dict[str, Tensor]:
        """Held-out examples; draws of the model where the data are a target."""
        if isinstance(data, Dataset):
            return first(data, self.config.split, self.config.max_examples, model.like)
        return {"x": model.sample((self.config.max_examples,))}

    def _region(self, x: Tensor) -> tuple[Array, Array]:
        """The central 99.8 % of the data along each axis, with room around it."""
        quantiles = np.quantile(x.double().cpu().numpy(), [0.001, 0.999], axis=0)
        room = (self.config.margin + 1e-9) * np.maximum(quantiles[1] - quantiles[0], 1e-6)
        return quantiles[0] - room, quantiles[1] + room

    def _log_prob(self, model: Any, points: Tensor, context: Tensor | None) -> Tensor:
        draws = None if model.is_exact else self.config.num_samples
        if model.context_shape is None or context is None:
            return torch.cat([model.log_prob(x, num_samples=draws) for x in points.split(self.config.batch_size)])
        kinds, counts = context.unique(dim=0, return_counts=True)
        if len(kinds) > _CONTEXTS:
            kinds, counts = context[:_CONTEXTS], counts.new_ones(min(_CONTEXTS, len(context)))
        log_weights = (counts / counts.sum()).log().to(points)
        rows = [
            torch.cat(
                [
                    model.log_prob(x, context=row.expand(len(x), *row.shape), num_samples=draws) + log_weight
                    for x in points.split(self.config.batch_size)
                ]
            )
            for row, log_weight in zip(kinds, log_weights, strict=True)
        ]
        return torch.stack(rows).logsumexp(0)

    def _truth(self, data: Any, points: Tensor) -> Tensor | None:
        if isinstance(data, Target):
            return data.log_prob(points) - (data.log_marginal or 0.0)
        return data.log_prob(points) if isinstance(data, KnownDensity) else None

    def _name(self, data: Any) -> str:
        return "held-out data" if isinstance(data, Dataset) else "draws of the model"

    def _draw(self, panels: list[tuple[str, Array]], low: Array, high: Array, path: Path) -> None:
        # The 99.9 % quantile: a spike of one cell should not turn everything else white.
        top = max(float(np.quantile(values, 0.999)) for _, values in panels[1:])
        figure = new_figure(3.0 * len(panels) + 0.3, 3.3)
        for index, (name, values) in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), index + 1)
            axes.imshow(
                values.T,
                origin="lower",
                extent=(low[0], high[0], low[1], high[1]),
                cmap=DENSITY,
                vmin=0,
                vmax=top or 1,
                interpolation="nearest" if index == 0 else "bilinear",
                aspect="auto",
            )
            axes.set_box_aspect(1)
            title(axes, name)
            axes.tick_params(labelsize=7.5, colors=MUTED, length=2.5, color="#c9d1d8")
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            for spine in axes.spines.values():
                spine.set_color("#c9d1d8")
        figure.tight_layout(pad=0.8, w_pad=1.2)
        save(figure, path, f"From left to right: {', '.join(name for name, _ in panels)}; one colour scale for all.")


def _grid(low: Array, high: Array, size: int, like: Tensor) -> tuple[Tensor, float]:
    """The midpoints of ``size`` x ``size`` cells as ``(G * G, 2)``, the first axis slowest, and the area of a cell."""
    steps = (high - low) / size
    axes = [torch.as_tensor(low[i] + steps[i] * (np.arange(size) + 0.5)).to(like) for i in range(2)]
    return torch.cartesian_prod(*axes), float(steps.prod())


def _histogram(x: Tensor, low: Array, high: Array) -> Array:
    """The density of points as a histogram whose bins hold about 20 points each, at least 24 and at most 120 a side."""
    bins = int(np.clip(np.sqrt(len(x) / 20) * 2, 24, 120))
    values, _, _ = np.histogram2d(*x.double().cpu().numpy().T, bins=bins, range=[(low[0], high[0]), (low[1], high[1])])
    return values / (len(x) * float((high - low).prod()) / bins**2)
