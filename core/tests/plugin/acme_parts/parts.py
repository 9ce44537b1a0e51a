import math

import torch
from torch import nn

from diffeo import Augmenter, Bijector, Dataset, Encoder, Loss, Objective


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


class AppendAugmenter(Augmenter):
    def __init__(self, config, shape, context_shape=None):
        super().__init__(shape, (shape[0] + config.extra, *shape[1:]), context_shape)

    def augment(self, x, *, context=None):
        dims = tuple(range(-len(self.in_shape), 0))
        size = (*x.shape[: x.dim() - len(dims)], self.out_shape[0] - self.in_shape[0], *self.in_shape[1:])
        noise = torch.randn(size, dtype=x.dtype)
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


class ExplodeObjective(Objective):
    def __init__(self, config, model, data):
        super().__init__(model, data)
        self.at = config.at

    def forward(self, model, batch, progress):
        loss = -model.elbo(batch["x"]).mean()
        return Loss(loss / 0 if self.training and progress.step >= self.at else loss)
