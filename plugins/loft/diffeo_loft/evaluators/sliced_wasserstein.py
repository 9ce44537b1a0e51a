"""How far draws of a model are from exact draws.

N draws, K numbers of a draw, P projections.
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Evaluator, Target
from diffeo.randomness import seeded
from diffeo_loft.config_evaluators import SlicedWasserstein
from diffeo_loft.evaluators.draws import ExactDraws, chunks, require_model, require_target
from diffeo_loft.evaluators.scalars import scalar_columns, select

__all__ = ["SlicedWassersteinEvaluator", "directions", "distance"]

AT_ONCE = 50
"""Projections sorted together: bounds the memory of sorting."""


def directions(size: int, count: int, like: Tensor) -> Float[Tensor, "K P"]:
    """Unit vectors, uniform on the sphere."""
    vectors = torch.randn(size, count, dtype=torch.float64)
    return (vectors / vectors.norm(dim=0)).to(like)


def distance(projected: Float[Tensor, "N P"], other: Float[Tensor, "N P"]) -> float:
    """sqrt of the mean over projections of the squared Wasserstein-2 distance, which sorting solves on the line."""
    if len(projected) != len(other):
        raise ValueError(f"expected as many draws on both sides; got {len(projected)} and {len(other)}")
    total = 0.0
    for a, b in zip(projected.split(AT_ONCE, dim=1), other.split(AT_ONCE, dim=1), strict=True):
        total += float((a.sort(dim=0).values - b.sort(dim=0).values).square().mean(0).sum())
    return (total / projected.shape[1]) ** 0.5


class SlicedWassersteinEvaluator(Evaluator):
    """Compares draws of the model with exact draws of the target, in the parameters as the user wrote them.

        distance^2 = mean over directions u of W2^2 of u'x and u'y;        of y = x + c it is |c| / sqrt(K)

    ``floor`` is the distance between two sets of exact draws of the same size, which a perfect model comes to, and
    ``nonfinite`` the number of draws of the model that are not finite and were left out (with as many exact ones).
    In tails without a variance both are dominated by the largest draws.

    Shapes: draws come in chunks and only their P projections are kept, three times (N, P) numbers.

    Source: Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3; as used in Andrade 2024, arXiv:2402.16408.
    """

    def __init__(self, config: SlicedWasserstein) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        require_model(model, "sliced_wasserstein")
        target = require_target(data, "sliced_wasserstein")
        if not isinstance(target, ExactDraws):
            raise ValueError(
                "expected a target that can be drawn from exactly, by a method sample(sample_shape), for 'sliced_wasserstein'; "
                f"got {type(target).__name__}, which has none"
            )
        select(target, self.config.parameters, model.like)

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        with torch.no_grad(), seeded(self.config.seed):
            axes = directions(
                self._values(data, data.sample((1,)).to(model.like)).shape[1], self.config.projections, model.like
            )
            exact, other, drawn = (self._projected(source, data, axes, model.like) for source in (data, data, model))
        finite = drawn.isfinite().all(-1)
        count = int(finite.sum())
        if not count:
            raise ValueError(f"expected finite draws for 'sliced_wasserstein'; got none among {len(drawn)}")
        return {
            "distance": distance(drawn[finite], exact[:count]),
            "floor": distance(other, exact),
            "nonfinite": float(len(drawn) - count),
        }

    def _values(self, target: Target, theta: Tensor) -> Tensor:
        """(N, K)"""
        if self.config.parameters is None:
            return target.constrain(theta).flatten(1)
        _, places = select(target, self.config.parameters, theta)
        return scalar_columns(target.by_name(theta))[:, places]

    def _projected(self, source: Any, target: Target, axes: Tensor, like: Tensor) -> Tensor:
        sizes = chunks(self.config.num_samples, self.config.batch_size)
        return torch.cat([(self._values(target, source.sample((size,)).to(like)) @ axes).cpu() for size in sizes])
