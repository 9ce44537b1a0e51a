"""Reconstruction error against the number of latents kept: Bekasov & Murray 2020, arXiv:2006.08777, figure 2 and table 1.

B batch, N examples, K numbers of latents kept.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo.dataset import Dataset
from diffeo.evaluator import Evaluator
from diffeo.evaluators.examples import batches, require_split
from diffeo.randomness import derive, seeded
from diffeo_nested_dropout.config_evaluators import ReconstructionCurve
from diffeo_nested_dropout.evaluators.curve_files import draw_curves, write_curves
from diffeo_nested_dropout.evaluators.ordered import check_flow, decode_first, flat_latents, num_latents, numbers_kept
from diffeo_nested_dropout.evaluators.pca import Pca, fit_pca
from diffeo_nested_dropout.nested_dropout import reconstruction_error
from diffeo_nested_dropout.truncation import LATENT_ORDERS, latent_ranks

__all__ = ["ReconstructionCurveEvaluator"]

MOST_DIMENSIONS = 4096
"""Dimensions of the data up to which principal components are computed: 128 MiB a matrix, and half a minute."""

Errors = Mapping[str, Float[Tensor, "N K"]]


class ReconstructionCurveEvaluator(Evaluator):
    """Mean squared error of ``f^-1(m_k * f(y))``, what the first k latents alone are decoded to, for several k.

        mse_k = mean over examples and dimensions of (y - f^-1(m_k * f(y)))^2,      m_k = (1 .. 1, 0 .. 0), k ones

    y is the continuous point behind x, its dequantization noise included, so errors are in units of the data, squared.
    ``mse_<k>`` is that of the latents in the order ``latents``; ``natural_<k>``, ``reversed_<k>`` and ``random_<k>`` that of
    the same flow in the other orders; ``pca_<k>`` that of the first k principal components of the training data, the best
    linear code of k numbers. ``reconstruction_curve.csv`` has the same numbers with their standard errors over examples,
    and ``reconstruction_curve.png`` draws them.

    Every example is encoded once, and decoded for every k and every order.

    Source: Bekasov and Murray 2020, arXiv:2006.08777, figure 2.
    """

    def __init__(self, config: ReconstructionCurve) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        data = check_flow("reconstruction_curve", model, data, self.config.split)
        self._kept(model)
        if not self.config.pca:
            return
        require_split(data, "train")
        size = math.prod(model.event_shape)
        if size > MOST_DIMENSIONS:
            raise ValueError(
                f"expected data of at most {MOST_DIMENSIONS} dimensions for PCA; got {size}: write 'pca: false'"
            )

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        kept = self._kept(model)
        with torch.no_grad():
            errors = self._measure(model, data, kept)
        means = {name: values.mean(0) for name, values in errors.items()}
        write_curves(kept, errors, folder / "reconstruction_curve.csv")
        draw_curves(kept, means, self._labels(), folder / "reconstruction_curve.png")
        numbers = {
            f"{name}_{number}": value
            for name, mean in means.items()
            for number, value in zip(kept, mean.tolist(), strict=True)
        }
        return {**numbers, "num_examples": float(len(errors["mse"]))}

    def _kept(self, model: Any) -> list[int]:
        most = num_latents(model)
        powers = [2**power for power in range(most.bit_length())]
        return numbers_kept(self.config.keep, [*powers, max(1, most // 4), most], model)

    def _labels(self) -> dict[str, str]:
        others = {order: f"the same flow, {order} order" for order in LATENT_ORDERS}
        return {"mse": f"flow, {self.config.latents} order", "pca": "PCA of the training data", **others}

    def _measure(self, model: Any, data: Dataset, kept: Sequence[int]) -> Errors:
        """Errors of every example by the name of the curve."""
        config, ranks = self.config, self._ranks(num_latents(model))
        pca = self._fit_pca(model, data) if config.pca else None
        parts: dict[str, list[Tensor]] = {}
        with seeded(derive(config.seed, "measured")):
            for batch in self._batches(model, data, config.split, config.max_examples):
                for name, errors in _errors(model, batch, kept, ranks, pca).items():
                    parts.setdefault(name, []).append(errors)
        return {name: torch.cat(errors) for name, errors in parts.items()}

    def _ranks(self, size: int) -> dict[str, Tensor]:
        """The ranks of the latents by the name of the curve."""
        ranks = {"mse": latent_ranks(self.config.latents, size)}
        for order in LATENT_ORDERS:
            if self.config.others and order != self.config.latents:
                ranks[order] = latent_ranks(order, size)
        return ranks

    def _fit_pca(self, model: Any, data: Dataset) -> Pca:
        """Of training data on the continuous side, with noise of their own."""
        with seeded(derive(self.config.seed, "training data")):
            points = (
                model.dequantize(batch["x"], context=batch.get("context"))[0].flatten(1)
                for batch in self._batches(model, data, "train", self.config.train_examples)
            )
            return fit_pca(points, center=self.config.center)

    def _batches(self, model: Any, data: Dataset, split: str, most: int) -> Iterator[dict[str, Tensor]]:
        return batches(data, split, max_examples=most, batch_size=self.config.batch_size, like=model.like)


def _errors(
    model: Any, batch: Mapping[str, Tensor], kept: Sequence[int], ranks: Mapping[str, Tensor], pca: Pca | None
) -> dict[str, Float[Tensor, "B K"]]:
    """Errors of a batch by the name of the curve, in float64 on the CPU."""
    context = batch.get("context")
    encoded = model.encode_data(batch["x"], context=context)
    y, z = encoded.y.to("cpu", torch.float64), flat_latents(model, encoded.z)

    def error(order: Tensor, number: int) -> Tensor:
        decoded = decode_first(model, z, number, order, context).to("cpu", torch.float64)
        return reconstruction_error(y, decoded, len(model.event_shape), mean=True)

    found = {name: torch.stack([error(order, number) for number in kept], -1) for name, order in ranks.items()}
    if pca is not None:
        errors = pca.errors(y.flatten(1))
        # An augmented flow has more latents than there are components.
        found["pca"] = errors[:, [min(number, errors.shape[1] - 1) for number in kept]]
    return found
