import math

import torch
from torch import nn

from diffeo import Bijector, Capabilities


class Right(Bijector):
    """y = exp(log_scale) x + shift + weight sum(context); log|det dy/dx| = sum(log_scale). Shapes: x, y (*B, D)."""

    capabilities = Capabilities(context="all", twice_differentiable=True)

    def __init__(self, config, shape, context_shape=None):
        if len(shape) != 1:
            raise ValueError(f"expected a vector; got {shape}")
        super().__init__(shape, None, context_shape)
        self.log_scale = nn.Parameter(torch.zeros(shape))
        self.shift = nn.Parameter(torch.zeros(shape))
        self.weight = None if context_shape is None else nn.Parameter(torch.ones(shape))

    def log_det(self, x):
        return self.log_scale.sum().expand(x.shape[:-1])

    def moved(self, context):
        return self.shift if context is None else self.shift + self.weight * context.sum(-1, keepdim=True)

    def forward(self, x, *, context=None):
        return self.log_scale.exp() * x + self.moved(context), self.log_det(x)

    def inverse(self, y, *, context=None):
        return (y - self.moved(context)) * (-self.log_scale).exp(), -self.log_det(y)


class Kinked(Right):
    """y = x for x >= 0 and x / 2 below, then scaled as ``Right`` does. Shapes: x, y (*B, D)."""

    capabilities = Capabilities(context="all")

    def forward(self, x, *, context=None):
        y, log_det = super().forward(torch.where(x < 0, 0.5 * x, x), context=context)
        return y, log_det + torch.where(x < 0, math.log(0.5), torch.zeros_like(x)).sum(-1)

    def inverse(self, y, *, context=None):
        x, log_det = super().inverse(y, context=context)
        return torch.where(x < 0, 2 * x, x), log_det - torch.where(x < 0, math.log(0.5), torch.zeros_like(x)).sum(-1)


class WrongSign(Right):
    """Log-dets cancel, as they do in a test that only adds them up; both are wrong. y = ... Shapes: x, y (*B, D)."""

    def log_det(self, x):
        return -super().log_det(x)


class NoLogDet(Right):
    def log_det(self, x):
        return 0 * super().log_det(x)


class ShiftedInverse(Right):
    def inverse(self, y, *, context=None):
        x, log_det = super().inverse(y, context=context)
        return x + 1e-3 * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)[0], log_det


class ForgetsContext(Right):
    def moved(self, context):
        first = torch.eye(self.in_shape[0], dtype=self.shift.dtype, device=self.shift.device)[0]
        return super().moved(context) * (1 - first) + self.shift * first


class UsesContext(Right):
    capabilities = Capabilities()


class UnusedParameter(Right):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(config, shape, context_shape)
        self.unused = nn.Parameter(torch.zeros(2))


class SinglePrecision(Right):
    """Rounds to float32 on the way, whatever comes in."""

    def forward(self, x, *, context=None):
        y, log_det = super().forward(x, context=context)
        return y, log_det.float()

    def inverse(self, y, *, context=None):
        x, log_det = super().inverse(y, context=context)
        return x, log_det.float()


class Overwrites(Right):
    def inverse(self, y, *, context=None):
        x, log_det = super().inverse(y, context=context)
        if not y.requires_grad:
            y.detach().mul_(2.0)
        return x, log_det


class LeaksBatch(Right):
    def forward(self, x, *, context=None):
        y, log_det = super().forward(x, context=context)
        return y + (x - x.flatten(0, -2).mean(0) if x.dim() > 1 and x.numel() else 0 * x).detach() * 0.1, log_det


class SquareRoot(Right):
    """A root that is not taken outside [-8, 8], except by autograd: NaN in the gradient there."""

    def forward(self, x, *, context=None):
        inside = x + 0 * (64 - x.square()).sqrt()
        return super().forward(torch.where(x.abs() < 8, inside, x), context=context)


class LosesState(Right):
    """An offset that is drawn at construction and not saved."""

    def __init__(self, config, shape, context_shape=None):
        super().__init__(config, shape, context_shape)
        self.register_buffer("offset", torch.randn(shape), persistent=False)

    def moved(self, context):
        return super().moved(context) + self.offset


class RandomInverse(Right):
    def inverse(self, y, *, context=None):
        x, log_det = super().inverse(y, context=context)
        return x + 1e-3 * torch.randn_like(x), log_det


class _Doubled(torch.autograd.Function):
    """The identity, with a backward pass that is twice too large."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class WrongBackward(Right):
    """Value and log-det agree with autograd, and both are wrong."""

    def forward(self, x, *, context=None):
        y, log_det = super().forward(_Doubled.apply(x), context=context)
        return y, log_det + self.in_shape[0] * math.log(2)

    def inverse(self, y, *, context=None):
        x, log_det = super().inverse(y, context=context)
        return x, log_det - self.in_shape[0] * math.log(2)


class Branches(Right):
    """y = exp(log_scale) x + shift, after a look at the values. Shapes: x, y (*B, D)."""

    def forward(self, x, *, context=None):
        if x.sum() > 1e9:
            x = -x
        return super().forward(x, context=context)


class StaysBehind(Right):
    """Keeps a tensor that is neither parameter nor buffer. y = x + ... Shapes: x, y (*B, D)."""

    def __init__(self, config, shape, context_shape=None):
        super().__init__(config, shape, context_shape)
        self.one = [torch.ones(shape, device="cpu", dtype=torch.float64)]

    def moved(self, context):
        return super().moved(context) * self.one[0].to(self.shift.dtype)


class Undocumented(Right):
    """Something."""


class FallsOver(Right):
    def __init__(self, config, shape, context_shape=None):
        raise KeyError("missing")


class PairsOnly(Bijector):
    def __init__(self, config, shape, context_shape=None):
        raise ValueError(f"expected the impossible; got {shape}")

    forward = inverse = None


class Needy(Right):
    pass


class Excused(ShiftedInverse):
    """y = ... Shapes: x, y (*B, D)."""


class Overexcused(Right):
    """y = ... Shapes: x, y (*B, D)."""


class Misnamed(Right):
    """y = ... Shapes: x, y (*B, D)."""
