"""The implementations."""

import math

import torch
from torch import nn

import diffeo


class SoftGate(nn.Module):
    """sigmoid(logit), by entry."""

    def __init__(self, config, shape):
        super().__init__()
        self.logit = nn.Parameter(torch.full(shape, math.log(config.start / (1 - config.start))))

    def forward(self):
        return torch.sigmoid(self.logit)


class FixedGate(nn.Module):
    """One number."""

    def __init__(self, config, shape):
        super().__init__()
        self.register_buffer("value", torch.full(shape, config.value), persistent=False)

    def forward(self):
        return self.value


class WarpBijector(diffeo.Bijector):
    """y2 = x2 exp(g s(x1)) + g t(x1); log|det| = sum g s."""

    def __init__(self, config, shape, context_shape=None):
        if len(shape) != 1 or shape[0] % 2:
            raise ValueError(f"expected a shape (D,) with even D; got {tuple(shape)}")
        super().__init__(shape, context_shape=context_shape)
        half = shape[0] // 2
        self.swap = config.swap
        self.gate = diffeo.make(config.gate, (half,), at="gate")
        self.network = nn.Sequential(nn.Linear(half, config.hidden), nn.Tanh(), nn.Linear(config.hidden, 2 * half))

    def _parts(self, x):
        return x.chunk(2, -1)[::-1] if self.swap else x.chunk(2, -1)

    def _joined(self, kept, changed):
        return torch.cat((changed, kept) if self.swap else (kept, changed), -1)

    def _scale_and_shift(self, kept):
        scale, shift = (self.gate() * part for part in self.network(kept).chunk(2, -1))
        return torch.tanh(scale), shift

    def forward(self, x, *, context=None):
        kept, changed = self._parts(x)
        scale, shift = self._scale_and_shift(kept)
        return self._joined(kept, changed * scale.exp() + shift), scale.sum(-1)

    def inverse(self, y, *, context=None):
        kept, changed = self._parts(y)
        scale, shift = self._scale_and_shift(kept)
        return self._joined(kept, (changed - shift) * (-scale).exp()), -scale.sum(-1)


class WidenAugmenter(diffeo.Augmenter):
    """y = (x, sd e), e ~ N(0, 1); log-weight -log q."""

    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, (shape[0] + config.entries, *shape[1:]), context_shape)
        self.sd = config.sd

    def augment(self, x, *, context=None):
        size = (*x.shape[:-1], self.out_shape[0] - self.in_shape[0])
        noise = torch.randn(size, dtype=x.dtype, device=x.device)
        log_q = -0.5 * noise.square() - 0.5 * math.log(2 * math.pi) - math.log(self.sd)
        return torch.cat([x, self.sd * noise], -1), -log_q.sum(-1)

    def strip(self, y, *, context=None):
        return y[..., : self.in_shape[0]]


class LatticeDataset(diffeo.Dataset):
    """Example number i is the point (i mod side, i div side)."""

    def __init__(self, config, seed):
        super().__init__({"x": (2,)})
        self.config = config

    def size(self, split):
        return {"train": self.config.side**2, "val": self.config.side}.get(split, 0)

    def batch(self, split, indices, seeds=None):
        side, spacing = self.config.side, torch.tensor(self.config.spacing)
        x = torch.stack([indices % side, indices // side], -1) * spacing
        if seeds is None:
            return {"x": x + 0.1}
        noise = [torch.randn(2, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        return {"x": x + self.config.shake * torch.stack(noise)}


class TemperedObjective(diffeo.Objective):
    """power * -elbo, and a parameter of its own that follows it."""

    def __init__(self, config, model, data):
        super().__init__(model, data)
        self.power, self.reduce = config.power, config.reduce
        self.follower = nn.Parameter(torch.zeros(()))

    def forward(self, model, batch, progress):
        nats = -model.elbo(batch["x"])
        loss = self.power * (nats.mean() if self.reduce == "mean" else nats.sum())
        followed = (self.follower - loss.detach()).square()
        return diffeo.Loss(loss + 0.1 * followed, {"nats": nats.mean().detach(), "follower": self.follower.detach()})
