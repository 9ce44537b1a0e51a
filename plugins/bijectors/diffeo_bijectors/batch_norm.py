"""Batch normalisation in the networks of a flow.

N folded batch, C channels, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo

__all__ = ["BatchNorm"]


class BatchNorm(diffeo.BatchStatistics, nn.BatchNorm2d):
    """Batch normalisation whose way back can be that of the way there.

    Recording, it keeps mean and biased variance of the batch per channel; replaying, it normalises with them, and leaves its
    running averages alone. Both in at least float32, as batch normalisation itself under autocast.
    """

    def forward(self, input: Float[Tensor, " N C H W"]) -> Float[Tensor, " N C H W"]:
        if not self.training:
            return super().forward(input)
        if self.replaying:
            return self._replay(input)
        if self.recording:
            variance, mean = torch.var_mean(full(input), (0, 2, 3), correction=0, keepdim=True)
            self.recorded = (mean, variance)
        return super().forward(input)

    def _replay(self, x: Tensor) -> Tensor:
        if not self.recorded:
            raise ValueError("expected a pass with recorded statistics before one that replays them; got none")
        mean, variance = self.recorded
        scale = self.weight[:, None, None] * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias[:, None, None], full(x) - mean, scale).to(x.dtype)


def full(x: Tensor) -> Tensor:
    """x in at least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
