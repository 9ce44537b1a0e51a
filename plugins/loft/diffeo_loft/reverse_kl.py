"""Variational inference by the reverse KL, with and without the score in its gradient.

N draws, E the event shape.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from diffeo import Distribution, Loss, Objective, Progress, Target
from diffeo_loft.config import ReverseKL
from diffeo_loft.score import draw_with_score

__all__ = ["ReverseKLObjective"]

LONGEST_ANNEALING = 10_000
"""Steps; a third of a shorter run (Andrade 2024)."""


class Terms(NamedTuple):
    """What the estimators give, by draw: the loss is log q - weight log p, and its gradient that of ``surrogate``."""

    theta: Tensor
    """(N, *E), to see which draws are finite."""
    log_q: Tensor
    log_p: Tensor
    surrogate: Tensor
    """(N); its value means nothing."""


class ReverseKLObjective(Objective):
    """``loss = mean over N draws of log q(theta) - log p(theta)``, that is KL(q || p) minus the target's log-marginal.

    The gradient of one draw consists of the path through theta and of the score, d log q / d parameters at fixed theta,
    whose mean is zero. ``gradient`` says what is kept:

    * ``total``: both. It has noise even where q equals p.
    * ``path``: the path alone; without noise where q equals p. The score is taken off by a second pass, which follows the
      draws, detached, back to the base.
    * ``fast_path``: the same to rounding, without the second pass. ``s = d log q / d theta`` is carried along the first one,
      from ``s = d log q0 / dz`` by ``s <- J^-T (s - d log|det J|)``, and ``<theta, s - d log p / d theta>``, the second
      factor constant, has the gradient wanted. Closed forms for couplings, ``loft``, ``scale_shift``, ``softplus``,
      permutations, and what combinators make of them; for any other bijector a pass back, see ``push_score``.

    The value is that of the loss with the score, whichever is chosen. Without gradients, as in validation, nothing else is
    computed, and annealing is over.

    Draws whose theta, log q or log p is not finite are left out with ``filter``, and the mean is over the others: in each
    process over its own. If none is left the loss is NaN, which ``trainer.nonfinite`` decides about, as it does where the
    gradient of a draw that was left out is not finite either.

    Annealing: ``log q - w log p`` with ``w = min(1, 0.01 + step / anneal_steps)``.

    Needs: a target; a model that is an exact distribution and whose networks draw no noise. Metrics: ``elbo``, the mean of
    log p - log q over the draws that count; ``dropped``, how many do not; ``target_weight``, w, with annealing.

    Source: Roeder, Wu and Duvenaud 2017, arXiv:1703.09194; Vaitl et al. 2024, arXiv:2403.15881; filter and annealing: Andrade
    2024, arXiv:2402.16408.

    >>> import diffeo
    >>> class Normal(diffeo.Target):
    ...     def log_prob(self, theta):
    ...         return -0.5 * theta.square().sum(-1)
    >>> model = diffeo.build("model", {"flow": {"base": "diagonal_normal"}}, shape=(2,))
    >>> objective = diffeo.build("objective", "reverse_kl", model=model, data=Normal((2,)))
    >>> round(objective(model, {}, diffeo.Progress(0, 10, 64)).value.item(), 4)  # -log(2 pi), for every draw: q equals p
    -1.8379
    """

    def __init__(self, config: ReverseKL, model: nn.Module, data: Any) -> None:
        super().__init__(model, data)
        _require_sampler(model)
        _require_target(data)
        self.target: Target = data
        self.gradient, self.filter = config.gradient, config.filter
        self.anneal, self.anneal_steps = config.anneal, config.anneal_steps

    def forward(self, model: Any, batch: dict[str, Tensor], progress: Progress) -> Loss:
        weight = self.target_weight(progress)
        terms = self._terms(model, progress.batch_size, weight)
        finite = terms.theta.isfinite().flatten(1).all(-1) & terms.log_q.isfinite() & terms.log_p.isfinite()
        counted = finite if self.filter else torch.ones_like(finite)
        value = _mean((terms.log_q - weight * terms.log_p).detach(), counted)
        surrogate = _mean(terms.surrogate, counted)
        metrics = {
            "elbo": _mean((terms.log_p - terms.log_q).detach(), counted),
            "dropped": (~counted).sum().to(value.dtype),
        }
        if self.anneal:
            metrics["target_weight"] = torch.full_like(value, weight)
        return Loss(value + (surrogate - surrogate.detach()), metrics)

    def target_weight(self, progress: Progress) -> float:
        """w, the weight of log p at a step; 1 in evaluation mode."""
        if not (self.anneal and self.training):
            return 1.0
        steps = self.anneal_steps or max(1, min(LONGEST_ANNEALING, progress.total // 3))
        return min(1.0, 0.01 + progress.step / steps)

    def _terms(self, model: Distribution, count: int, weight: float) -> Terms:
        if self.gradient == "fast_path" and torch.is_grad_enabled():
            return self._fast_path(model, count, weight)
        theta, log_q = model.sample_and_log_prob((count,))
        log_p = self.target.log_prob(theta)
        surrogate = log_q - weight * log_p
        if self.gradient == "path" and torch.is_grad_enabled():
            surrogate = surrogate - model.log_prob(theta.detach())
        return Terms(theta, log_q, log_p, surrogate)

    def _fast_path(self, model: Distribution, count: int, weight: float) -> Terms:
        theta, log_q, score = draw_with_score(model, (count,))
        leaf = theta.detach().requires_grad_()
        log_p = self.target.log_prob(leaf)
        (score_p,) = torch.autograd.grad(log_p.sum(), leaf)
        surrogate = (theta * (score - weight * score_p)).flatten(1).sum(-1)
        return Terms(theta, log_q, log_p.detach(), surrogate)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over the draws that count; NaN if none does."""
    return torch.where(counted, values, 0.0).sum() / counted.sum()


def _require_sampler(model: nn.Module) -> None:
    """Raise unless the model is an exact distribution whose rows do not see each other."""
    if not isinstance(model, Distribution):
        raise ValueError(f"expected a model that is a distribution, such as flow; got {type(model).__name__}")
    if not model.is_exact:
        raise ValueError("expected an exact model, whose draws come with their density; got a flow that draws noise")
    if model.capabilities.batch_statistics:
        raise ValueError(
            "expected a model without batch statistics, which has a density for each draw; got one with them"
        )


def _require_target(data: Any) -> None:
    """Raise for data that are no log-density."""
    if not isinstance(data, Target):
        raise ValueError(
            f"expected a target, an unnormalised log-density, as data; got {type(data).__name__}, which has examples: an "
            "objective such as maximum_likelihood fits"
        )
