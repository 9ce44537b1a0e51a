import math

import torch
from torch import nn

from diffeo import Distribution


class Wide(Distribution):
    """log p(x) = log N(x; loc, 4). Shapes: x (*B, *event)."""

    spread = 2.0

    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, context_shape)
        self.loc = nn.Parameter(torch.zeros(shape))

    def log_prob(self, x, *, context=None):
        noise = (x - self.loc) / 2
        terms = -0.5 * noise.square() - 0.5 * math.log(2 * math.pi) - math.log(2)
        return terms.sum(tuple(range(-len(self.event_shape), 0)))

    def sample(self, sample_shape=(), *, context=None, temperature=1.0):
        noise = torch.randn(self.draw_shape(sample_shape, context), dtype=self.like.dtype, device=self.like.device)
        return (self.loc + temperature * self.spread * noise).detach()

    def sample_and_log_prob(self, sample_shape=(), *, context=None):
        noise = torch.randn(self.draw_shape(sample_shape, context), dtype=self.like.dtype, device=self.like.device)
        x = self.loc + self.spread * noise
        return x, self.log_prob(x)


class Heavy(Wide):
    """Draws with more spread than the density has."""

    spread = 2.2


class Cold(Wide):
    def sample(self, sample_shape=(), *, context=None, temperature=1.0):
        return super().sample(sample_shape, context=context)
