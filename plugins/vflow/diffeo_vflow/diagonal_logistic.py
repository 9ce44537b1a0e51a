"""Logistic noise: the logit of a uniform number.

B any batch shape.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import diffeo
from diffeo_vflow.config_augment import DiagonalLogistic

__all__ = ["DiagonalLogisticDistribution"]

Shape = tuple[int, ...]


class DiagonalLogisticDistribution(diffeo.Distribution):
    """Independent logistics: x = loc + exp(log_scale) * noise, noise = logit(u) with u ~ U(0, 1); both trainable, 0 at first.

        log p(x) = sum(log sigmoid(n) + log sigmoid(-n) - log_scale),     n = (x - loc) exp(-log_scale)

    At first sigmoid(x) is uniform. As the base of r(u | x) it makes variational dequantization start as the uniform one, and
    its tails keep 1 / r(u | x) bounded, which those of a normal do not.

    Shapes: x (*B, *event_shape), loc and log_scale (*event_shape). A context gives draws their batch shape and has no other
    effect. Temperature scales the noise about loc. Numerics: u is kept one rounding error away from 0 and 1.

    >>> import torch, diffeo
    >>> diffeo.build("distribution", "diagonal_logistic", shape=(1,)).log_prob(torch.zeros(1)).detach()
    tensor(-1.3863)
    """

    capabilities = diffeo.Capabilities(twice_differentiable=True)

    def __init__(self, config: DiagonalLogistic, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        self.loc = nn.Parameter(torch.zeros(shape))
        self.log_scale = nn.Parameter(torch.zeros(shape))

    def log_prob(self, x: Tensor, *, context: Tensor | None = None) -> Tensor:
        return self._log_density((x - self.loc) * (-self.log_scale).exp())

    @torch.no_grad()
    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        return self.loc + temperature * self.log_scale.exp() * self._noise(sample_shape, context)

    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        noise = self._noise(sample_shape, context)
        return self.loc + self.log_scale.exp() * noise, self._log_density(noise)

    def _noise(self, sample_shape: Shape, context: Tensor | None) -> Tensor:
        u = diffeo.uniform_noise(self.draw_shape(sample_shape, context), self.like)
        edge = torch.finfo(u.dtype).eps
        u = u.clamp(edge, 1 - edge)
        return u.log() - (-u).log1p()

    def _log_density(self, noise: Tensor) -> Tensor:
        values = F.logsigmoid(noise) + F.logsigmoid(-noise) - self.log_scale
        return values.sum(tuple(range(-len(self.event_shape), 0)))
