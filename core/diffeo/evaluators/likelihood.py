"""Held-out log-likelihood in nats and in bits per dimension.

    bits/dim = -nats / (D ln 2),   D the number of dimensions of the data as delivered

Legend: N examples, D dimensions of one example.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffeo.config_evaluators import Likelihood
from diffeo.dataset import Dataset
from diffeo.evaluator import Evaluator
from diffeo.evaluators.examples import batches, require_dataset, require_split
from diffeo.randomness import derive, seeded

__all__ = ["LikelihoodEvaluator", "dequantized_gaussian"]


def dequantized_gaussian(x_ND: Tensor, mean_D: Tensor, variance_D: Tensor) -> Tensor:
    """Log-density of an independent Gaussian at integers under uniform dequantization, in nats: ``(N, D) -> (N,)``.

    With ``y = x + u``, ``u ~ U(0, 1)``, this is the bound ``E_u log N(y; mean, variance)`` in closed form:
    ``E_u (y - mean)^2 = (x + 1/2 - mean)^2 + 1/12``. Mean and variance are those of y, so the variance is at least 1/12
    and an entry that never changes (padding) needs no special care.
    """
    square = (x_ND + 0.5 - mean_D) ** 2 + 1 / 12
    return -0.5 * (square / variance_D + torch.log(2 * math.pi * variance_D)).sum(-1)


def _fit_gaussian(data: Dataset, config: Likelihood, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of dequantized training data, entry by entry, in float64."""
    count, total, squares = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for batch in batches(data, "train", max_examples=10_000, batch_size=config.batch_size, like=like):
        x = batch["x"].flatten(1).to("cpu", torch.float64)
        count, total, squares = count + len(x), total + x.sum(0), squares + (x * x).sum(0)
    mean = total / count
    return mean + 0.5, (squares / count - mean**2).clamp(min=0) + 1 / 12


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    """Mean and its standard error, in float64; NaN where one value does not give one."""
    values = values.double()
    return float(values.mean()), float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan


class LikelihoodEvaluator(Evaluator):
    """Mean log-likelihood of held-out examples.

    ``log_prob`` and ``standard_error`` are in nats per example, ``bits_per_dim`` and its error per dimension of the
    data as delivered, padding included, latent dimensions of an augmented flow not. The standard error is that of the
    mean over examples. For a flow that is not exact (uniform dequantization is enough) ``log_prob`` is a lower bound:
    the ELBO, or with ``num_samples`` the tighter importance-weighted bound; ``elbo``, in nats and in bits per dimension, is the
    mean of single draws either way. Draws are taken in chunks, so that memory does not depend on how many there are.

    ``gaussian_bits_per_dim`` is what an independent Gaussian for every entry, fitted to at most 10,000 training
    examples, reaches on the same examples under uniform dequantization.

    Several processes share the batches; each batch has noise of its own, so the numbers do not depend on how many there are.
    """

    is_sharded = True

    def __init__(self, config: Likelihood) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        data = require_dataset(data, "likelihood")
        require_split(data, self.config.split)
        if data.size(self.config.split) is None and self.config.max_examples is None:
            raise ValueError("expected max_examples for an endless data set; got None")

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        data = require_dataset(data, "likelihood")
        config = self.config
        with torch.no_grad():
            values = self._values(model, data)
        nats, error = _mean_and_error(values["log_prob"])
        unit = math.log(2) * math.prod(model.event_shape)
        numbers = {
            "log_prob": nats,
            "standard_error": error,
            "bits_per_dim": -nats / unit,
            "bits_per_dim_standard_error": error / unit,
            "num_examples": float(len(values["log_prob"])),
        }
        if "elbo" in values:
            elbo, elbo_error = _mean_and_error(values["elbo"])
            numbers |= {"elbo": elbo, "elbo_standard_error": elbo_error, "elbo_bits_per_dim": -elbo / unit}
        if config.baseline and model.dequantization is not None:
            numbers["gaussian_bits_per_dim"] = -self._gaussian(model, data) / unit
        return numbers

    def _values(self, model: Any, data: Dataset) -> dict[str, Tensor]:
        """Per example, in the order of the examples: what every process measured in its batches, put together."""
        config, own = self.config, dict[int, dict[str, Tensor]]()
        for number, batch in enumerate(self._batches(data, config.split, model)):
            if number % self.world.size == self.world.rank:
                with seeded(derive(config.seed, "batch", number)):
                    own[number] = self._measure(model, batch)
        names = ["log_prob"] if model.is_exact else ["log_prob", "elbo"]
        return {name: self._gathered({number: values[name] for number, values in own.items()}) for name in names}

    def _gathered(self, own: dict[int, Tensor]) -> Tensor:
        """The values of all batches, each held by one process, one after the other."""
        texts = self.world.gather_texts(json.dumps({number: values.tolist() for number, values in own.items()}))
        found = {int(number): values for text in texts for number, values in json.loads(text).items()}
        return torch.tensor([value for number in sorted(found) for value in found[number]], dtype=torch.float64)

    def _batches(self, data: Dataset, split: str, model: Any) -> Any:
        config = self.config
        return batches(data, split, max_examples=config.max_examples, batch_size=config.batch_size, like=model.like)

    def _measure(self, model: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        x, context = batch["x"], batch.get("context")
        if model.is_exact:
            return {"log_prob": model.log_prob(x, context=context)}
        elbo = model.elbo(x, context=context)
        draws = self.config.num_samples
        if draws is None:
            return {"log_prob": elbo, "elbo": elbo}
        bound = model.log_prob(x, context=context, num_samples=draws, chunk=self.config.chunk)
        return {"log_prob": bound, "elbo": elbo}

    def _gaussian(self, model: Any, data: Dataset) -> float:
        mean, variance = _fit_gaussian(data, self.config, model.like)
        values = [
            dequantized_gaussian(batch["x"].flatten(1).to("cpu", torch.float64), mean, variance)
            for batch in self._batches(data, self.config.split, model)
        ]
        return float(torch.cat(values).mean())
