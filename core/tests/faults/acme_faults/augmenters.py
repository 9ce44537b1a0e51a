import math

import torch
from torch import nn

from diffeo import Augmenter, Capabilities


class Widen(Augmenter):
    """y = (x, z) with z = weight mean(x) + bias + 1.2 e, e ~ N(0, 1); w = -log q(z | x). Shapes: x (*B, D), y (*B, D + 1)."""

    def __init__(self, config, shape, context_shape=None):
        if len(shape) != 1:
            raise ValueError(f"expected a vector; got {shape}")
        super().__init__(shape, (shape[0] + 1,), context_shape)
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def augment(self, x, *, context=None):
        noise = torch.randn_like(x[..., :1])
        z = self.weight * x.mean(-1, keepdim=True) + self.bias + 1.2 * noise
        log_q = -0.5 * noise.square() - 0.5 * math.log(2 * math.pi) - math.log(1.2)
        return torch.cat([x, z], -1), -log_q.sum(-1)

    def strip(self, y, *, context=None):
        return y[..., :-1]


class Biased(Widen):
    def augment(self, x, *, context=None):
        y, log_weight = super().augment(x, context=context)
        return y, log_weight + 0.1


class Rounds(Widen):
    def strip(self, y, *, context=None):
        return y[..., :-1] * (1 + 1e-15)


class Fold(Augmenter):
    """x = |y|; y = s x with s a fair sign, w = log 2. Shapes: x, y (*B, D), with x positive."""

    capabilities = Capabilities(domain="positive")

    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)

    def augment(self, x, *, context=None):
        dims = tuple(range(-len(self.in_shape), 0))
        sign = torch.where(torch.rand_like(x) < 0.5, -torch.ones_like(x), torch.ones_like(x))
        return sign * x, (math.log(2) * torch.ones_like(x)).sum(dims)

    def strip(self, y, *, context=None):
        return y.abs()


class HalfFold(Fold):
    def augment(self, x, *, context=None):
        y, log_weight = super().augment(x, context=context)
        return y, 0.5 * log_weight
