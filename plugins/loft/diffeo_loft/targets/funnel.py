"""Neal's funnel (Neal 2003, doi:10.1214/aos/1056562461).

B any batch shape, D entries.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Target
from diffeo_loft.config_targets import Funnel
from diffeo_loft.targets.log_densities import normal

__all__ = ["FunnelTarget"]

FLOOR = 1e-6
"""Added to the standard deviation of the funnel (Andrade 2024): the neck has a smallest width."""

LOG_SD = math.log(3.0)


class FunnelTarget(Target):
    """``v ~ N(0, 3^2)``, ``x_j | v ~ N(0, (exp(v / 2) + 1e-6)^2)`` for the other entries; theta = (v, x).

    Shapes: theta (*B, D), ``log_prob`` (*B). Normalised: ``log_marginal = 0``. ``sample`` draws exactly.

    Numerics: log standard deviations are added up in log space, so that no v overflows.

    Source: Neal 2003, doi:10.1214/aos/1056562461, section 8; Andrade 2024, arXiv:2402.16408.

    >>> import diffeo, torch
    >>> diffeo.build("target", {"funnel": {"dim": 2}}).log_prob(torch.zeros(2))
    tensor(-2.9365)
    """

    log_marginal = 0.0

    def __init__(self, config: Funnel) -> None:
        super().__init__((config.dim,))

    def log_prob(self, theta: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        v, x = theta[..., :1], theta[..., 1:]
        prior = normal(v, torch.full_like(v, LOG_SD))
        return prior[..., 0] + normal(x, _log_sd(v)).sum(-1)

    def by_name(self, theta: Float[Tensor, "*B D"]) -> dict[str, Tensor]:
        return {"v": theta[..., 0], "x": theta[..., 1:]}

    @torch.no_grad()
    def sample(self, sample_shape: tuple[int, ...] = ()) -> Float[Tensor, "*B D"]:
        """Exact draws, in float64."""
        noise = torch.randn(*sample_shape, *self.event_shape, dtype=torch.float64)
        v = 3.0 * noise[..., :1]
        return torch.cat([v, _log_sd(v).exp() * noise[..., 1:]], dim=-1)


def _log_sd(v: Tensor) -> Tensor:
    """log(exp(v / 2) + 1e-6)."""
    return torch.logaddexp(v / 2, torch.full_like(v, math.log(FLOOR)))
