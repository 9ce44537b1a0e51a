"""The Bayesian lasso (Park & Casella 2008, doi:10.1198/016214508000000337).

B any batch shape, N examples, d covariates.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from diffeo_loft.config_targets import BayesianLasso
from diffeo_loft.targets.layout_target import LayoutTarget
from diffeo_loft.targets.log_densities import cauchy, inverse_gamma, normal
from diffeo_loft.targets.regression_data import linear_examples
from diffeo_loft.targets.softplus_transform import positive

__all__ = ["BayesianLassoTarget"]

FLOOR = 1e-6
"""Added to the standard deviation of a coefficient (Andrade 2024)."""


class BayesianLassoTarget(LayoutTarget):
    """``y ~ N(X beta + intercept, sigma2 I)`` with a Laplace prior of beta, as a mixture of normals:

        tau2_j ~ Exponential(penalty^2 / 2)                 sigma2 ~ InvGamma(1/2, 1/2)
        beta_j ~ N(0, (sqrt(tau2_j sigma2) + 1e-6)^2)       intercept ~ Cauchy(0, 10)

    theta holds (tau2, sigma2, beta, intercept), tau2 and sigma2 through softplus. The marginal likelihood is not known.
    Shapes: theta (*B, 2 d + 2), ``log_prob`` (*B).

    Source: Park and Casella 2008, doi:10.1198/016214508000000337, section 2; Andrade 2024, arXiv:2402.16408.

    >>> import diffeo
    >>> diffeo.build("target", {"bayesian_lasso": {"dim": 3}})
    BayesianLassoTarget(tau2 (3,), sigma2 (), beta (3,), intercept ())
    """

    x: Tensor
    y: Tensor

    def __init__(self, config: BayesianLasso) -> None:
        x, y, names = linear_examples(config)
        dim = x.shape[1]
        super().__init__({"tau2": positive(dim), "sigma2": positive(), "beta": dim, "intercept": ()})
        self.rate, self.intercept_scale = config.penalty**2 / 2, config.intercept_scale
        self.entries = dict.fromkeys(("beta", "tau2"), names) if names else {}
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("y", y, persistent=False)

    def log_joint(self, values: Mapping[str, Tensor]) -> Tensor:
        tau2, beta, intercept = values["tau2"], values["beta"], values["intercept"]
        log_sigma = 0.5 * values["sigma2"].log().unsqueeze(-1)
        log_sd = torch.logaddexp(0.5 * tau2.log() + log_sigma, torch.full_like(tau2, math.log(FLOOR)))
        prior = (math.log(self.rate) - self.rate * tau2).sum(-1) + inverse_gamma(values["sigma2"], 0.5, 0.5)
        prior = prior + normal(beta, log_sd).sum(-1) + cauchy(intercept, self.intercept_scale)
        residuals = self.y.to(beta) - beta @ self.x.to(beta).mT - intercept.unsqueeze(-1)
        return prior + normal(residuals, log_sigma).sum(-1)
