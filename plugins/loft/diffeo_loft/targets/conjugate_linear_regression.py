"""Linear regression with the conjugate prior.

B any batch shape, N examples, d covariates.
"""

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo_loft.config_targets import ConjugateLinearRegression
from diffeo_loft.targets.layout_target import LayoutTarget
from diffeo_loft.targets.log_densities import inverse_gamma, normal
from diffeo_loft.targets.regression_data import linear_examples
from diffeo_loft.targets.softplus_transform import positive

__all__ = ["ConjugateLinearRegressionTarget"]

SHAPE = RATE = 0.5
"""Of the inverse gamma prior (Andrade 2024)."""


class _Posterior(NamedTuple):
    mean: Tensor
    """mu, (d,)"""
    cholesky: Tensor
    """L with L L' = U, (d, d)"""
    shape: float
    rate: float


class ConjugateLinearRegressionTarget(LayoutTarget):
    """``sigma2 ~ InvGamma(1/2, 1/2)``, ``beta | sigma2 ~ N(0, sigma2 I)``, ``y ~ N(X beta, sigma2 I)``; theta holds (beta, sigma2).

    Everything is known (N examples): with ``U = X'X + I`` and ``mu = U^-1 X'y``

        log_marginal = log t_1(y; 0, I + X X')
        sigma2 | y ~ InvGamma((1 + N) / 2, (1 + y'y - y'X mu) / 2)        beta | sigma2, y ~ N(mu, sigma2 U^-1)

    ``sample`` draws exactly. sigma2 goes through softplus. Shapes: theta (*B, d + 1), ``log_prob`` (*B).

    Source: Bishop 2006, Pattern recognition and machine learning, exercises 3.12 and 3.23; Andrade 2024, arXiv:2402.16408.

    >>> import diffeo
    >>> target = diffeo.build("target", {"conjugate_linear_regression": {"dim": 10}})
    >>> target.event_shape, round(target.log_marginal, 4)
    ((11,), -269.739)
    """

    x: Tensor
    y: Tensor

    def __init__(self, config: ConjugateLinearRegression) -> None:
        x, y, names = linear_examples(config)
        super().__init__({"beta": x.shape[1], "sigma2": positive()})
        self.entries = dict.fromkeys(("beta",), names) if names else {}
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("y", y, persistent=False)
        self.log_marginal = _log_evidence(x, y)

    def log_joint(self, values: Mapping[str, Tensor]) -> Tensor:
        beta, sigma2 = values["beta"], values["sigma2"]
        log_sd = 0.5 * sigma2.log().unsqueeze(-1)
        residuals = self.y.to(beta) - beta @ self.x.to(beta).mT
        likelihood = normal(residuals, log_sd).sum(-1)
        return likelihood + normal(beta, log_sd).sum(-1) + inverse_gamma(sigma2, SHAPE, RATE)

    @torch.no_grad()
    def sample(self, sample_shape: tuple[int, ...] = ()) -> Float[Tensor, "*B D"]:
        """Exact draws of the posterior, in float64."""
        mean, cholesky, shape, rate = self._posterior
        gammas = torch.distributions.Gamma(mean.new_tensor(shape), mean.new_tensor(rate)).sample(sample_shape)
        sigma2 = 1 / gammas
        noise = torch.randn(*sample_shape, len(mean), dtype=torch.float64)
        deviation = torch.linalg.solve_triangular(cholesky.mT, noise.unsqueeze(-1), upper=True)[..., 0]
        return self.layout.unconstrain({"beta": mean + sigma2.sqrt().unsqueeze(-1) * deviation, "sigma2": sigma2})

    @functools.cached_property
    def _posterior(self) -> _Posterior:
        x, y = (values.to("cpu", torch.float64) for values in (self.x, self.y))
        cholesky = torch.linalg.cholesky(x.mT @ x + torch.eye(x.shape[1], dtype=torch.float64))
        moment = x.mT @ y
        mean = torch.cholesky_solve(moment[:, None], cholesky)[:, 0]
        return _Posterior(mean, cholesky, SHAPE + len(y) / 2, RATE + 0.5 * float(y @ y - moment @ mean))


def _log_evidence(x: Tensor, y: Tensor) -> float:
    """log of the multivariate t density with one degree of freedom at y, shape matrix I + X X'."""
    count = len(y)
    cholesky = torch.linalg.cholesky(torch.eye(count, dtype=x.dtype) + x @ x.mT)
    square = float(torch.linalg.solve_triangular(cholesky, y[:, None], upper=False).square().sum())
    log_det = 2 * float(cholesky.diagonal().log().sum())
    log_norm = math.lgamma((1 + count) / 2) - math.lgamma(0.5) - 0.5 * (count * math.log(math.pi) + log_det)
    return log_norm - 0.5 * (1 + count) * math.log1p(square)
