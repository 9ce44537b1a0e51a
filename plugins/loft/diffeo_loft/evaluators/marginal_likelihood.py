"""The evidence of a target by importance sampling from a model.

N draws per repetition, R repetitions.
"""

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from arviz_stats.base.array import array_stats
from jaxtyping import Float
from torch import Tensor

from diffeo import Evaluator
from diffeo.randomness import seeded
from diffeo_loft.config_evaluators import MarginalLikelihood
from diffeo_loft.evaluators.draws import require_model, require_target, weighted_draws

__all__ = ["MarginalLikelihoodEvaluator", "effective_sample_size", "log_marginal", "pareto_k"]

LARGEST_K = 0.7
"""Above it importance sampling is not reliable whatever the number of draws is (Vehtari et al. 2024, arXiv:1507.02646)."""

FEWEST = 25
"""Draws: a fifth of them is the tail, to which two parameters are fitted."""

SAME = 1e-9
"""Log-weights that differ by less than this many nats are equal: rounding has no tail to fit."""


def log_marginal(log_weight: Float[Tensor, "*R N"]) -> Float[Tensor, "*R"]:
    """log 1/N sum_n w_n; draws without weight count in N."""
    return log_weight.logsumexp(-1) - math.log(log_weight.shape[-1])


def effective_sample_size(log_weight: Float[Tensor, "*R N"]) -> Float[Tensor, "*R"]:
    """(sum w)^2 / sum w^2, between 1 and N."""
    return (2 * log_weight.logsumexp(-1) - (2 * log_weight).logsumexp(-1)).exp()


def pareto_k(log_weight: Float[Tensor, " N"]) -> float:
    """Shape of the generalised Pareto distribution of the largest weights; 0 where those are equal, NaN for fewer than 25."""
    valid = log_weight[log_weight.isfinite()]
    count = len(valid)
    if count < FEWEST:
        return math.nan
    tail = valid.topk(math.ceil(min(0.2 * count, 3 * math.sqrt(count)))).values
    if float(tail[0] - tail[-1]) < SAME:
        return 0.0
    # It takes log-likelihoods, whose weights are their reciprocals.
    return float(array_stats.psislw(-valid.cpu().numpy())[1])


class MarginalLikelihoodEvaluator(Evaluator):
    """Measures how close a model comes to a target, whose log-density is ``log p`` up to its log-normaliser.

    With draws of the model and ``log w = log p - log q`` in every repetition:

    * ``elbo = mean log w``, over the draws whose weight is finite;
    * ``log_marginal = log mean w``, which for N draws is below the truth in the mean; means over the repetitions, with
      ``standard_error`` from their spread;
    * ``effective_sample_size = (sum w)^2 / sum w^2``, of N, and ``ess_fraction``, the same over N;
    * ``pareto_k`` of all weights together: above 0.7, which is warned of, nothing above but the ELBO is reliable;
    * ``invalid``: draws, of all R N, whose theta or weight is not finite. They count as draws of weight 0;
    * where the log-normaliser is known, ``true_log_marginal`` and ``log_marginal_error``, the mean over the repetitions of
      ``|estimate - truth|``.

    Shapes: only the R N log-weights are kept; draws come in chunks of ``batch_size``.

    Source: Andrade 2024, arXiv:2402.16408; Pareto k: Vehtari et al. 2024, arXiv:1507.02646.
    """

    def __init__(self, config: MarginalLikelihood) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        require_target(data, "marginal_likelihood")
        require_model(model, "marginal_likelihood")

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        config = self.config
        with torch.no_grad(), seeded(config.seed):
            rows = [self._log_weights(model, data) for _ in range(config.repetitions)]
        log_weight = torch.stack(rows)
        valid = log_weight.isfinite()
        bounds = torch.where(valid, log_weight, 0.0).sum(-1) / valid.sum(-1)
        estimates, ess = log_marginal(log_weight), effective_sample_size(log_weight)
        estimates = torch.where(estimates.isfinite(), estimates, torch.nan)  # no draw of a repetition had a weight
        k = pareto_k(log_weight.flatten())
        if k > LARGEST_K:
            _warn(k)
        numbers = {
            **_mean("elbo", bounds),
            **_mean("log_marginal", estimates),
            "effective_sample_size": float(ess.mean()),
            "ess_fraction": float(ess.mean()) / config.num_samples,
            "pareto_k": k,
            "invalid": float((~valid).sum()),
        }
        if data.log_marginal is not None:
            numbers["true_log_marginal"] = float(data.log_marginal)
            numbers["log_marginal_error"] = float((estimates - data.log_marginal).abs().mean())
        return numbers

    def _log_weights(self, model: Any, data: Any) -> Tensor:
        config = self.config
        drawn = weighted_draws(model, data, config.num_samples, config.batch_size)
        return torch.cat([part.log_weight.cpu() for part in drawn])


def _mean(name: str, values: Tensor) -> dict[str, float]:
    """The mean over repetitions and its standard error; NaN where one repetition does not give one."""
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {name: float(values.mean()), f"{name}_standard_error": error}


def _warn(k: float) -> None:
    warnings.warn(
        f"marginal_likelihood: Pareto k is {k:.2f}, above {LARGEST_K}: a few draws hold most of the weight, so do not rely on "
        "log_marginal, its standard error or weighted means. Train for longer, or with more layers or heavier tails.",
        stacklevel=3,
    )
