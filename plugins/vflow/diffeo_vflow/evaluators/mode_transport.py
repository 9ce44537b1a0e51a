"""What becomes of the modes of data on the plane (Chen et al. 2020, arXiv:2002.09741, figure 3).

N points, D dimensions, G groups of points.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

import diffeo
from diffeo.evaluators.examples import first, require_dataset, require_split
from diffeo.evaluators.pictures import MUTED, new_figure, save, title
from diffeo.randomness import seeded
from diffeo_vflow.config_evaluators import ModeTransport

__all__ = ["ModeTransportEvaluator", "apart", "near_own_center", "squares"]

MOST = 64
"""Groups at most: more colours cannot be told apart."""


class Panel(NamedTuple):
    """Points to draw and what they are."""

    name: str
    points: Float[Tensor, "N 2"]


def squares(x: Float[Tensor, "N 2"], side: float) -> Int64[Tensor, " N"]:
    """The number of the square that each point lies in, among those that have points."""
    return torch.floor(x / side).long().unique(dim=0, return_inverse=True)[1]


def _centers(points: Float[Tensor, "N D"], group: Int64[Tensor, " N"]) -> Float[Tensor, "G D"]:
    return torch.stack([points[group == number].mean(0) for number in range(int(group.max()) + 1)])


def near_own_center(points: Float[Tensor, "N D"], group: Int64[Tensor, " N"]) -> float:
    """The share of points that are closer to the centre of their own group than to any other."""
    nearest = torch.cdist(points, _centers(points, group)).argmin(1)
    return float((nearest == group).double().mean())


def apart(points: Float[Tensor, "N D"], group: Int64[Tensor, " N"], count: int) -> Float[Tensor, "N K"]:
    """Coordinates along the ``count`` orthogonal directions in which the centres of the groups lie furthest apart."""
    centers = _centers(points, group)
    axes = torch.linalg.svd(centers - centers.mean(0), full_matrices=True)[2][:count]
    return (points - points.mean(0)) @ axes.mT


class ModeTransportEvaluator(diffeo.Evaluator):
    """Draws the data, what they are extended to, and the latents, in one colour for every square of the data.

    ``mode_transport.png`` has a panel each for x; for (x, z) behind the first step that draws noise, where there is one, as the
    first entry of x against the direction of z in which the squares lie furthest apart; and for the latent, of which two such
    directions are shown where it has more than two dimensions. A flow without added dimensions is a homeomorphism of the
    plane: it cannot take squares past each other.

    ``near_own_center`` is the share of latents that are closer to the centre of their own square than to any other centre.

    Source: Chen et al. 2020, arXiv:2002.09741, figure 3.
    """

    def __init__(self, config: ModeTransport) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        require_split(require_dataset(data, "mode_transport"), self.config.split)
        if not isinstance(model, diffeo.FlowModel) or tuple(model.event_shape) != (2,):
            got = getattr(model, "event_shape", type(model).__name__)
            raise ValueError(f"expected a flow of points on the plane, shape (2,), for 'mode_transport'; got {got}")
        if model.context_shape is not None or model.start != "data":
            got = "one with a context" if model.context_shape is not None else "one that starts at the base"
            raise ValueError(
                f"expected a flow that starts at the data and has no context for 'mode_transport'; got {got}"
            )

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        x = first(data, self.config.split, self.config.max_examples, model.like)["x"]
        group = squares(x, self.config.side).cpu()
        if int(group.max()) >= MOST:
            raise ValueError(
                f"expected points in at most {MOST} squares; got {int(group.max()) + 1}: set a larger side"
            )
        with torch.no_grad(), seeded(self.config.seed):
            added, latent = self._states(model, x)
        panels = [Panel("data", x.double().cpu())]
        if added is not None:
            side = apart(added[:, 2:], group, 1)
            panels.append(Panel("data and added dimensions", torch.cat([added[:, :1], side], 1)))
        if latent.shape[1] == 2:
            panels.append(Panel("latent", latent))
        else:
            panels.append(Panel(f"latent, 2 of {latent.shape[1]} directions", apart(latent, group, 2)))
        _draw(panels, group, folder / "mode_transport.png")
        return {"near_own_center": near_own_center(latent, group)}

    def _states(self, model: diffeo.FlowModel, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """(x, z) behind the first step of the flow that draws noise, and the latent; flat, in float64."""
        at, added = model.dequantize(x)[0], None
        for step in model.steps:
            assert isinstance(step, diffeo.Augmenter)
            at, _ = step.augment(at)
            if added is None and not step.is_exact and len(step.out_shape) == 1 and step.out_shape[0] > 2:
                added = at.double().cpu()
        return added, at.flatten(1).double().cpu()


def _draw(panels: list[Panel], group: Int64[Tensor, " N"], path: Path) -> None:
    size = max(0.5, min(6.0, 8000 / len(group)))
    figure = new_figure(3.3 * len(panels) + 0.3, 3.6)
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        axes.scatter(*panel.points.mT.numpy(), s=size, c=group.numpy(), cmap="turbo", linewidths=0)
        axes.set_box_aspect(1)
        title(axes, panel.name)
        axes.tick_params(labelsize=7.5, colors=MUTED, color="#c9d1d8")
        for spine in axes.spines.values():
            spine.set_color("#c9d1d8")
    figure.tight_layout(pad=0.8, w_pad=1.2)
    names = ", ".join(panel.name for panel in panels)
    save(figure, path, f"From left to right: {names}; one colour for the points of every square of the data.")
