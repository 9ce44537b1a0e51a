"""Independent Student-t variables with trainable degrees of freedom.

B any batch shape, E the event shape.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Gamma

from diffeo import Capabilities, Distribution
from diffeo_loft.config import StudentT
from diffeo_loft.loft import sum_event

__all__ = ["StudentTDistribution"]

Shape = tuple[int, ...]


def log_density(noise: Tensor, df: Tensor) -> Tensor:
    """log of the standard Student-t density, entry by entry; the quotient of gamma functions in log space."""
    half = df / 2
    normaliser = (half + 0.5).lgamma() - half.lgamma() - 0.5 * (df * math.pi).log()
    return normaliser - (half + 0.5) * (noise.square() / df).log1p()


class StudentTDistribution(Distribution):
    """x = loc + exp(log_scale) t, with t Student-t, each entry with its own degrees of freedom df = 1 + exp(eta).

        log p(x) = sum( log Gamma((df+1)/2) - log Gamma(df/2) - log(pi df)/2 - (df+1)/2 log(1 + t^2 / df) - log_scale )

    df starts at 30 and is trained, entry by entry; it stays above 1, so that the mean is finite. loc and log_scale are 0,
    and are trained with ``trainable_loc_scale``. Gradients flow through draws, also into df: t = n / sqrt(g / (df/2)) with n
    normal and g gamma distributed, whose derivative is implicit (Figurnov et al. 2018, arXiv:1805.08498).

    Shapes: x ``(*B, *E)``, eta, loc and log_scale ``(*E)``. Temperature scales t. Numerics: log p is finite for every x
    whose square is. Takes a context and ignores it.

    Source: Liang, Mahoney and Hodgkinson 2022, arXiv:2205.07918; start and bound of df: Andrade 2024, arXiv:2402.16408.

    >>> import torch, diffeo
    >>> base = diffeo.build("distribution", {"student_t": {"df": 3.0}}, shape=(2,))
    >>> round(base.log_prob(torch.zeros(2)).item(), 4), [round(df, 4) for df in base.df.tolist()]
    (-2.0018, [3.0, 3.0])
    """

    capabilities = Capabilities(twice_differentiable=True)
    eta: Tensor
    loc: Tensor
    log_scale: Tensor

    def __init__(self, config: StudentT, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        self._keep("eta", torch.full(self.event_shape, math.log(config.df - 1)), trainable=config.trainable_df)
        for name in ("loc", "log_scale"):
            self._keep(name, torch.zeros(self.event_shape), trainable=config.trainable_loc_scale)

    def _keep(self, name: str, value: Tensor, *, trainable: bool) -> None:
        if trainable:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value, persistent=False)

    @property
    def df(self) -> Float[Tensor, "*E"]:
        """Degrees of freedom of each entry."""
        return 1 + self.eta.exp()

    def log_prob(self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None) -> Float[Tensor, "*B"]:
        return self._log_prob((x - self.loc) * (-self.log_scale).exp())

    @torch.no_grad()
    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        noise = self._noise(self.draw_shape(sample_shape, context))
        return self.loc + temperature * self.log_scale.exp() * noise

    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        noise = self._noise(self.draw_shape(sample_shape, context))
        return self.loc + self.log_scale.exp() * noise, self._log_prob(noise)

    def _noise(self, shape: Shape) -> Tensor:
        half = self.df / 2
        normal = torch.randn(shape, dtype=half.dtype, device=half.device)
        shapes = half.expand(shape)
        gamma = Gamma(shapes, torch.ones_like(shapes), validate_args=False).rsample()
        return normal * (half / gamma).sqrt()

    def _log_prob(self, noise: Tensor) -> Tensor:
        return sum_event(log_density(noise, self.df) - self.log_scale, len(self.event_shape))
