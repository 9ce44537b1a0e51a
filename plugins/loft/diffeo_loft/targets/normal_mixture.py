"""Three normal distributions in a row.

B any batch shape, D entries, K = 3 components.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Target
from diffeo_loft.config_targets import NormalMixture

__all__ = ["NormalMixtureTarget"]

SIGNS = (1.0, -1.0, 0.0)


class NormalMixtureTarget(Target):
    """``p(theta) = 1/3 sum_k N(theta; s_k a 1, I)`` with s = (1, -1, 0) and ``a = distance / sqrt(D)``.

    Neighbouring modes are ``distance`` apart for any D. Shapes: theta (*B, D), ``log_prob`` (*B). Normalised:
    ``log_marginal = 0``. ``sample`` draws exactly. A normal distribution that fits one of the modes has an ELBO of
    ``-log 3``.

    Source: McLachlan and Peel 2000, Finite mixture models; Andrade 2024, arXiv:2402.16408.

    >>> import diffeo, torch
    >>> diffeo.build("target", {"normal_mixture": {"dim": 1}}).log_prob(torch.zeros(1))
    tensor(-2.0176)
    """

    log_marginal = 0.0
    means: Tensor

    def __init__(self, config: NormalMixture) -> None:
        super().__init__((config.dim,))
        step = config.distance / math.sqrt(config.dim)
        self.register_buffer("means", step * torch.tensor(SIGNS, dtype=torch.float64), persistent=False)

    def log_prob(self, theta: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        means = self.means.to(theta)
        squares = (theta.unsqueeze(-2) - means[:, None]).square().sum(-1)
        log_norm = 0.5 * self.event_shape[0] * math.log(2 * math.pi) + math.log(len(SIGNS))
        return torch.logsumexp(-0.5 * squares, dim=-1) - log_norm

    @torch.no_grad()
    def sample(self, sample_shape: tuple[int, ...] = ()) -> Float[Tensor, "*B D"]:
        """Exact draws, in float64."""
        noise = torch.randn(*sample_shape, *self.event_shape, dtype=torch.float64)
        which = torch.randint(len(SIGNS), sample_shape)
        return noise + self.means.to("cpu", torch.float64)[which].unsqueeze(-1)
