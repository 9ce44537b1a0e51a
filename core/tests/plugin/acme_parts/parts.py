import math
import os
import resource
import time

import torch
from torch import nn

import diffeo
from diffeo import (
    Augmenter,
    Bijector,
    DataInitialized,
    Dataset,
    Encoder,
    Evaluator,
    Loss,
    Objective,
    Target,
    normal_noise,
)


class StretchBijector(Bijector):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)
        self.log_scale = nn.Parameter(torch.full(shape, config.log_scale))
        self.shift = nn.Parameter(torch.zeros(shape))

    def _shift(self, context):
        return (
            self.shift
            if context is None
            else self.shift + context.flatten(-len(self.context_shape)).sum(-1)[(..., *[None] * len(self.in_shape))]
        )

    def forward(self, x, *, context=None):
        batch = x.shape[: x.dim() - len(self.in_shape)]
        return x * self.log_scale.exp() + self._shift(context), self.log_scale.sum().expand(batch)

    def inverse(self, y, *, context=None):
        batch = y.shape[: y.dim() - len(self.in_shape)]
        return (y - self._shift(context)) * (-self.log_scale).exp(), -self.log_scale.sum().expand(batch)


class SinhBijector(Bijector):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)

    def forward(self, x, *, context=None):
        return x.sinh(), x.cosh().log().sum(tuple(range(-len(self.in_shape), 0)))

    def inverse(self, y, *, context=None):
        return y.asinh(), -0.5 * (1 + y.square()).log().sum(tuple(range(-len(self.in_shape), 0)))


class CoupleBijector(Bijector):
    def __init__(self, config, shape, context_shape=None):
        if len(shape) != 1 or shape[0] % 2:
            raise ValueError(f"expected a shape (D,) with even D; got {tuple(shape)}")
        super().__init__(shape, None, context_shape)
        half, width = shape[0] // 2, config.hidden
        self.swap = config.swap
        self.network = nn.Sequential(
            nn.Linear(half, width),
            nn.BatchNorm1d(width) if config.norm else nn.Identity(),
            nn.Tanh(),
            nn.Dropout(config.dropout),
            nn.Linear(width, 2 * half),
        )

    def _map(self, x, *, back):
        kept, changed = x.chunk(2, -1)[::-1] if self.swap else x.chunk(2, -1)
        raw, shift = self.network(kept).chunk(2, -1)
        log_scale = raw.tanh()
        changed = (changed - shift) * (-log_scale).exp() if back else changed * log_scale.exp() + shift
        parts = (changed, kept) if self.swap else (kept, changed)
        return torch.cat(parts, -1), (-log_scale if back else log_scale).sum(-1)

    def forward(self, x, *, context=None):
        return self._map(x, back=False)

    def inverse(self, y, *, context=None):
        return self._map(y, back=True)


class CliffBijector(Bijector):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)
        self.at = config.at

    def _log_det(self, x):
        return torch.where(x[..., 0].round() == self.at, math.inf, 0.0).to(x.dtype)

    def forward(self, x, *, context=None):
        return x, self._log_det(x)

    def inverse(self, y, *, context=None):
        return y, -self._log_det(y)


class CenterBijector(Bijector, DataInitialized):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)
        self.shift = nn.Parameter(torch.zeros(shape))

    def forward(self, x, *, context=None):
        if self.initializing:
            self.shift.data.copy_(x.detach().mean(0))
            self.initializing = False
        return x - self.shift, x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def inverse(self, y, *, context=None):
        return y + self.shift, y.new_zeros(y.shape[: y.dim() - len(self.in_shape)])


class QuirkBijector(Bijector):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)
        self.does = config.does
        self.shift = nn.Parameter(torch.zeros(shape))
        if config.does in ("count", "replace"):
            self.register_buffer("calls", torch.zeros(()))
        if config.does == "number":
            self.number = float(torch.randn(()))
        if config.does == "tie":
            self.again = self.shift
        if config.does in ("idle", "freeze"):
            self.extra = nn.Parameter(torch.ones(shape), requires_grad=config.does == "idle")

    def _shift(self):
        match self.does:
            case "count":
                self.calls.add_(self.training)
            case "replace":
                self.calls = self.calls + self.training
            case "number":
                return self.shift + self.number
            case "freeze":
                return self.shift * self.extra
            case _:
                pass
        return self.shift

    def forward(self, x, *, context=None):
        return x + self._shift(), x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def inverse(self, y, *, context=None):
        return y - self._shift(), y.new_zeros(y.shape[: y.dim() - len(self.in_shape)])


class AppendAugmenter(Augmenter):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, (shape[0] + config.extra, *shape[1:]), context_shape)
        self.handed = config.handed
        self.noise = None
        if config.drawn:
            self.noise = diffeo.build("distribution", "diagonal_normal", shape=(config.extra, *shape[1:]))

    def augment(self, x, *, context=None):
        dims = tuple(range(-len(self.in_shape), 0))
        batch = x.shape[: x.dim() - len(dims)]
        size = (*batch, self.out_shape[0] - self.in_shape[0], *self.in_shape[1:])
        if self.noise is not None:
            z, log_q = self.noise.sample_and_log_prob(batch)
            return torch.cat([x, z], dims[0]), -log_q
        noise = normal_noise(size, x) if self.handed else torch.randn(size, dtype=x.dtype)
        log_q = (-0.5 * noise.square() - 0.5 * math.log(2 * math.pi)).sum(dims)
        return torch.cat([x, x.sum(dims, keepdim=True) + noise], dims[0]), -log_q

    def strip(self, y, *, context=None):
        return y.narrow(-len(self.in_shape), 0, self.in_shape[0])


class FoldBijector(Bijector):
    def __init__(self, config, shape, context_shape=None):
        if len(shape) != 2 or shape[1] % 2:
            raise ValueError(f"expected a shape (C, S) with even S; got {tuple(shape)}")
        super().__init__(shape, (2 * shape[0], shape[1] // 2), context_shape)

    def forward(self, x, *, context=None):
        return torch.cat(x.chunk(2, -1), -2), x.new_zeros(x.shape[:-2])

    def inverse(self, y, *, context=None):
        return torch.cat(y.chunk(2, -2), -1), y.new_zeros(y.shape[:-2])


class JitterDequantization(Augmenter):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, None, context_shape)

    def augment(self, x, *, context=None):
        return x + torch.rand_like(x), x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def strip(self, y, *, context=None):
        return y.floor()


class LiftEncoder(Encoder):
    def __init__(self, config, shape):
        super().__init__(shape, (config.out,))
        self.linear = nn.Linear(math.prod(shape), config.out)

    def forward(self, context):
        return self.linear(context.flatten(-len(self.in_shape)))


class BlobDataset(Dataset):
    def __init__(self, config, seed):
        super().__init__({"x": (2,)} | ({"context": (2,)} if config.conditional else {}))

    def size(self, split):
        return None if split == "train" else 64

    def batch(self, split, indices, seeds=None):
        keys = indices if seeds is None else seeds
        noise = torch.stack([torch.randn(2, generator=torch.Generator().manual_seed(int(key))) for key in keys])
        batch = {"x": noise + torch.tensor([2.0, -1.0])}
        return batch | ({"context": noise.round()} if "context" in self.shapes else {})


class DiceDataset(Dataset):
    def __init__(self, config, seed):
        super().__init__({"x": (2,)})
        self.config = config
        self.points = torch.randint(
            6, (config.size, 2), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
        )

    def size(self, split):
        return len(self.points) if split == "train" else 20

    def batch(self, split, indices, seeds=None):
        return {"x": self.points[indices]}


class RingTarget(Target):
    """theta = (angle, log radius); the user's parameters are a point and its radius."""

    entries = {"point": ("across", "up")}  # noqa: RUF012

    def __init__(self, config):
        super().__init__((2,))
        if config.path is not None and not config.path.exists():
            raise ValueError(f"{config.path}: expected a file; got nothing there")

    def log_prob(self, theta):
        return -(theta[..., 1] - 1).square() - theta[..., 0].square()

    def constrain(self, theta):
        angle, radius = theta[..., 0], theta[..., 1].exp()
        return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)

    def by_name(self, theta):
        return {"point": self.constrain(theta), "radius": theta[..., 1].exp()}


class ElboObjective(Objective):
    def __init__(self, config, model, data):
        super().__init__(model, data)
        self.data = data

    def forward(self, model, batch, progress):
        theta, log_q = model.sample_and_log_prob((progress.batch_size,))
        return Loss((log_q - self.data.log_prob(theta)).mean())


class ExplodeObjective(Objective):
    def __init__(self, config, model, data):
        super().__init__(model, data)
        self.config = config

    def forward(self, model, batch, progress):
        loss = -model.elbo(batch["x"]).mean()
        if not self.training or progress.step < self.config.at:
            return Loss(loss)
        return Loss(loss / 0 if self.config.where == "loss" else loss + (loss - loss.detach()).abs().sqrt())


class BeadsDataset(Dataset):
    def __init__(self, config, seed):
        super().__init__({"x": (2,)})
        self.config = config

    def prepare(self):
        if self.config.alarm:
            os.kill(os.getpid(), self.config.alarm)

    def size(self, split):
        return {"train": self.config.size, "val": self.config.val}.get(split, 0)

    def batch(self, split, indices, seeds=None):
        x = torch.stack([indices, indices % 7], -1).float()
        if split == "val":
            x = x + 0.25 - 100
        if seeds is None or not self.config.shake:
            return {"x": x}
        noise = [torch.randn(2, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        return {"x": x + self.config.shake * torch.stack(noise)}


class MishapObjective(Objective):
    """What goes wrong is done by the process it happens to, at a known step: no test has to hit a moment from outside."""

    def __init__(self, config, model, data):
        super().__init__(model, data)
        self.config, self.signals = config, config.times
        if config.does == "leave_out":
            self.idle = nn.Parameter(torch.zeros(()))

    def forward(self, model, batch, progress):
        loss = -model.elbo(batch["x"]).mean()
        if not self.training or not torch.is_grad_enabled():
            return Loss(loss)
        time.sleep(self.config.seconds)
        config = self.config
        last = config.at if config.until is None else config.until
        here = config.at <= progress.step <= last
        if config.does == "fill_disk" and progress.step == last + 1:
            _allow_files_of(resource.RLIM_INFINITY)
        mine = int(os.environ.get("RANK", "0")) == config.rank
        return Loss(self._go_wrong(model, loss) if here and mine and _attempt() < config.attempts else loss)

    def _go_wrong(self, model, loss):
        match self.config.does:
            case "signal" | "signal_launcher" as whom:
                while self.signals:  # once, however many parts the step has
                    self.signals -= 1
                    os.kill(os.getpid() if whom == "signal" else os.getppid(), self.config.number)
            case "fill_disk":
                _allow_files_of(1000)
            case "raise":
                raise KeyError("a mishap")
            case "hang":
                while True:
                    time.sleep(1)
            case "blow_up":
                return loss / 0
            case "draw":
                return loss + 0 * torch.randn(())
            case "drift":
                next(model.parameters()).data.add_(1e-3)
            case _:
                pass
        return loss


def _allow_files_of(size):
    """What is written beyond that size fails as on a full disk, with another reason; Python ignores the signal."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _attempt():
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


class UnitOptimizer(torch.optim.Optimizer):
    def __init__(self, config, parameters):
        super().__init__(parameters, {"lr": config.lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(group["lr"] * parameter.grad / parameter.grad.norm())


class BellEvaluator(Evaluator):
    def __init__(self, config):
        self.number = config.number

    def __call__(self, model, data, folder):
        os.kill(os.getpid(), self.number)
        return {}
