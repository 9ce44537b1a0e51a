"""A Student-t distribution of equally correlated entries.

B any batch shape, D entries.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Target
from diffeo_loft.config_targets import MultivariateStudentT

__all__ = ["MultivariateStudentTTarget"]


class MultivariateStudentTTarget(Target):
    """``p(theta) ~ (1 + q / df)^(-(df + D) / 2)``, ``q = (theta - loc)' S^-1 (theta - loc)``, S = 1 on its diagonal, rho off it.

    S has two eigenvalues, ``1 - rho + D rho`` for the mean of the entries and ``1 - rho`` for what deviates from it, so that
    with z = theta - loc

        q = D mean(z)^2 / (1 - rho + D rho) + sum (z - mean(z))^2 / (1 - rho)

    costs no D x D matrix. Shapes: theta (*B, D), ``log_prob`` (*B). Normalised: ``log_marginal = 0``. ``sample`` draws exactly.

    Source: Kotz and Nadarajah 2004, Multivariate t distributions, eq. 1.1; Andrade 2024, arXiv:2402.16408.

    >>> import diffeo, torch
    >>> diffeo.build("target", {"multivariate_student_t": {"dim": 1, "loc": 0.0}}).log_prob(torch.zeros(1))  # -log(pi)
    tensor(-1.1447)
    """

    log_marginal = 0.0

    def __init__(self, config: MultivariateStudentT) -> None:
        super().__init__((config.dim,))
        self.df, self.loc, self.correlation = config.df, config.loc, config.correlation
        self.common = 1 - config.correlation + config.dim * config.correlation
        half, dim = config.df / 2, config.dim
        log_det = (dim - 1) * math.log(1 - config.correlation) + math.log(self.common)
        self.log_norm = (
            math.lgamma(half + dim / 2) - math.lgamma(half) - 0.5 * (dim * math.log(math.pi * config.df) + log_det)
        )

    def log_prob(self, theta: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        z, dim = theta - self.loc, self.event_shape[0]
        mean = z.mean(-1, keepdim=True)
        deviation = (z - mean).square().sum(-1) / (1 - self.correlation)
        q = dim * mean[..., 0].square() / self.common + deviation
        return self.log_norm - 0.5 * (self.df + dim) * torch.log1p(q / self.df)

    @torch.no_grad()
    def sample(self, sample_shape: tuple[int, ...] = ()) -> Float[Tensor, "*B D"]:
        """Exact draws, in float64."""
        own = torch.randn(*sample_shape, *self.event_shape, dtype=torch.float64)
        shared = torch.randn(*sample_shape, 1, dtype=torch.float64)
        half = torch.full((*sample_shape, 1), self.df / 2, dtype=torch.float64)
        scale = (half / torch.distributions.Gamma(half, torch.ones_like(half)).sample()).sqrt()
        return self.loc + scale * (math.sqrt(1 - self.correlation) * own + math.sqrt(self.correlation) * shared)
