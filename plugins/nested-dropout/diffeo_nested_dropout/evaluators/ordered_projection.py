"""Points and their projections on learned manifolds: Bekasov & Murray 2020, arXiv:2006.08777, figure 1.

N examples, D dimensions of the data, L latents of the flow.
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo.evaluator import Evaluator
from diffeo.evaluators.examples import first
from diffeo.evaluators.pictures import MUTED, new_figure, save, title
from diffeo.randomness import seeded
from diffeo_nested_dropout.config_evaluators import OrderedProjection
from diffeo_nested_dropout.evaluators.ordered import check_flow, decode_first, flat_latents, num_latents
from diffeo_nested_dropout.truncation import latent_ranks

__all__ = ["OrderedProjectionEvaluator"]

FLATTEST = 0.3
"""Height of a panel relative to its width at least: below it there is no room for numbers on the axis."""

MOST = 3
"""Latents kept in the last panel at most: what further ones add is not seen in a plane."""


class OrderedProjectionEvaluator(Evaluator):
    """Draws points and what their first k latents alone are decoded to, for k = 1, 2, 3 as far as there are so many.

        projection_k = f^-1(m_k * f(y)),      m_k = (1 .. 1, 0 .. 0), k ones

    All of them lie on the k-dimensional manifold that the flow has learned. ``ordered_projection.png`` has a panel for every
    k below the number of latents, the points in grey beneath their projections, in the plane of the first two principal
    axes of the points. Returns no numbers.

    Shapes: points (D,), D >= 2. Source: Bekasov and Murray 2020, arXiv:2006.08777, figure 1.
    """

    def __init__(self, config: OrderedProjection) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        check_flow("ordered_projection", model, data, self.config.split)
        if len(model.event_shape) != 1 or model.event_shape[0] < 2:
            raise ValueError(
                f"expected points of shape (D,), D >= 2, for 'ordered_projection'; got {model.event_shape}"
            )

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        examples = first(data, self.config.split, self.config.max_examples, model.like)
        context = examples.get("context")
        ranks = latent_ranks(self.config.latents, num_latents(model))
        with torch.no_grad(), seeded(self.config.seed):
            y, z, _ = model.encode_data(examples["x"], context=context)
            z = flat_latents(model, z)
            kept = range(1, min(num_latents(model) - 1, MOST) + 1)
            projections = [decode_first(model, z, number, ranks, context) for number in kept]
        origin, plane = principal_plane(y.double().cpu())
        panels = [(points.double().cpu() - origin) @ plane for points in (y, *projections)]
        _draw(panels[0], panels[1:], folder / "ordered_projection.png")
        return {}


def principal_plane(y: Float[Tensor, "N D"]) -> tuple[Float[Tensor, " D"], Float[Tensor, "D 2"]]:
    """The mean of points and the two axes of their largest variances, each with its largest entry positive."""
    mean = y.mean(0)
    _, _, axes = torch.linalg.svd(y - mean, full_matrices=False)
    plane = axes[:2].mT
    largest = plane.gather(0, plane.abs().argmax(0, keepdim=True))
    return mean, plane * torch.where(largest < 0, -1.0, 1.0)


def _draw(points: Float[Tensor, "N 2"], projections: list[Float[Tensor, "N 2"]], path: Path) -> None:
    size = max(0.5, min(6.0, 6000 / len(points)))
    low, high = points.min(0).values, points.max(0).values
    room = 0.08 * float((high - low).max()) or 1.0
    wide, tall = (high - low + 2 * room).tolist()
    figure = new_figure(3.4 * len(projections) + 0.3, 3.1 * max(FLATTEST, tall / max(wide, tall)) + 0.6)
    for number, projected in enumerate(projections, 1):
        axes = figure.add_subplot(1, len(projections), number)
        axes.scatter(*points.mT.numpy(), s=size, color="#c3ccd4", linewidths=0)
        axes.scatter(*projected.mT.numpy(), s=size, color="#1f5b84", alpha=0.7, linewidths=0)
        axes.set_xlim(float(low[0]) - room, float(high[0]) + room)
        axes.set_ylim(float(low[1]) - room, float(high[1]) + room)
        axes.set_aspect("equal", adjustable="box")
        title(axes, "the first latent" if number == 1 else f"the first {number} latents")
        axes.tick_params(labelsize=7.5, colors=MUTED, color="#c9d1d8")
        for spine in axes.spines.values():
            spine.set_color("#c9d1d8")
    figure.tight_layout(pad=0.8, w_pad=1.2)
    save(
        figure,
        path,
        "Points that the flow has not seen (grey) and what their first latents alone are decoded to (blue), in the first two "
        "principal axes of the points.",
    )
