import torch
from torch import nn

from diffeo import Network


class Plain(Network):
    """out = W [x, context] + b. Shapes: x (*B, D) to (*B, *out_shape)."""

    def __init__(self, config, in_shape, out_shape, context_shape=None):
        if len(in_shape) != 1:
            raise ValueError(f"expected a vector; got {in_shape}")
        super().__init__(in_shape, out_shape, context_shape)
        inputs = in_shape[0] + (0 if context_shape is None else context_shape[0])
        self.output_layer = nn.Linear(inputs, torch.Size(out_shape).numel())
        nn.init.zeros_(self.output_layer.weight)
        nn.init.zeros_(self.output_layer.bias)

    def compute(self, x, context):
        whole = x if context is None else torch.cat([x, context], -1)
        return self.output_layer(whole).reshape(*x.shape[:-1], *self.out_shape)


class Deaf(Plain):
    def compute(self, x, context):
        return super().compute(x, None if context is None else 0 * context)


class Loud(Plain):
    def __init__(self, config, in_shape, out_shape, context_shape=None):
        super().__init__(config, in_shape, out_shape, context_shape)
        nn.init.ones_(self.output_layer.bias)
