"""Normal base distributions.

Dimensions: B batch, E event.
"""

import math

import torch
from torch import Tensor, nn

from diffeo.config import DiagonalNormal, StandardNormal
from diffeo.distribution import Distribution
from diffeo.noise import normal_noise

__all__ = ["DiagonalNormalDistribution", "StandardNormalDistribution"]

Shape = tuple[int, ...]
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _log_density(noise: Tensor, event_dims: int) -> Tensor:
    """log N(noise; 0, I), summed over the event."""
    return (-0.5 * noise.square() - HALF_LOG_2PI).sum(tuple(range(-event_dims, 0)))


def _noise(distribution: Distribution, sample_shape: Shape, context: Tensor | None) -> Tensor:
    """N(0, I) in the shape, dtype and device of the distribution's draws."""
    return normal_noise(distribution.draw_shape(sample_shape, context), distribution.like)


class StandardNormalDistribution(Distribution):
    """log p(x) = -|x|^2 / 2 - (D / 2) log(2 pi).

    Shapes: x (*B, *event_shape). A context gives draws their batch shape and has no other effect.

    >>> import diffeo
    >>> diffeo.build("distribution", "standard_normal", shape=(2,)).log_prob(torch.zeros(2))
    tensor(-1.8379)
    """

    def __init__(self, config: StandardNormal, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)

    def log_prob(self, x: Tensor, *, context: Tensor | None = None) -> Tensor:
        return _log_density(x, len(self.event_shape))

    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        return temperature * _noise(self, sample_shape, context)

    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        noise = _noise(self, sample_shape, context)
        return noise, _log_density(noise, len(self.event_shape))


class DiagonalNormalDistribution(Distribution):
    """Independent normals: x = loc + exp(log_scale) * noise, both trainable, 0 at first.

        log p(x) = log N((x - loc) / scale; 0, I) - sum(log_scale)

    Shapes: x (*B, *event_shape), loc and log_scale (*event_shape). Temperature scales the noise about loc.
    """

    def __init__(self, config: DiagonalNormal, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        self.loc = nn.Parameter(torch.zeros(shape))
        self.log_scale = nn.Parameter(torch.zeros(shape))

    def log_prob(self, x: Tensor, *, context: Tensor | None = None) -> Tensor:
        noise = (x - self.loc) * (-self.log_scale).exp()
        return _log_density(noise, len(self.event_shape)) - self.log_scale.sum()

    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        with torch.no_grad():
            return self.loc + temperature * self.log_scale.exp() * _noise(self, sample_shape, context)

    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        noise = _noise(self, sample_shape, context)
        log_prob = _log_density(noise, len(self.event_shape)) - self.log_scale.sum()
        return self.loc + self.log_scale.exp() * noise, log_prob
