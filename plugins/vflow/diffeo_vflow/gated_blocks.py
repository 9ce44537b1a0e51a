"""The residual blocks of Flow++'s networks (Ho et al. 2019, arXiv:1902.00275, section 3.3).

N folded batch, F channels of the residual stream, C channels of a context, H, W height and width, T = H W positions.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

import diffeo
from diffeo_vflow.initialized_conv import InitializedConv

__all__ = ["BlockStyle", "ChannelNorm", "Dropout", "GatedAttention", "GatedConv", "attend", "concat_elu"]

GATED = 0.1
"""Scale at which the last convolution in front of a gate starts: blocks are near the identity at first."""
NORM_EPSILON = 1e-5  # of Flow++'s layer norm


class BlockStyle(NamedTuple):
    """What all blocks of a network have in common."""

    channels: int
    dropout: float
    weight_norm: bool


def concat_elu(x: Float[Tensor, " N C H W"]) -> Float[Tensor, " N C2 H W"]:
    """elu of x and of -x, as twice the channels: nothing is lost where one of them saturates."""
    return F.elu(torch.cat([x, -x], 1))


def gated(x: Tensor, update: Tensor) -> Tensor:
    """x plus the first half of the update's channels, as far as the sigmoid of the second half lets it in."""
    value, gate = update.chunk(2, 1)
    return x + value * torch.sigmoid(gate)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Float[Tensor, " N heads T D"]:
    """softmax(q k^T / sqrt(D)) v. Fused on accelerators, in memory linear in T; on a CPU as written, which vmap can batch."""
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value)
    return torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1) @ value


class Dropout(nn.Module):
    """Zeros entries while training; its noise can be that of separate runs in a batch of seeds."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        kept = (diffeo.uniform_noise(x.shape, x) >= self.probability).to(x.dtype)
        return x * (kept / (1 - self.probability))


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each position by itself; eps 1e-5."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, " N F H W"]) -> Float[Tensor, " N F H W"]:
        last = F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, NORM_EPSILON)
        return last.movedim(-1, 1)


class GatedConv(nn.Module):
    """``h + p sigmoid(s)`` with ``(p, s) = conv(A(conv(A(h)) + conv1x1(A(context))))``, A = concat_elu.

    The second convolution is 1x1, or 3x3 with ``kernel`` 3. A context vector, as a ``(N, C, 1, 1)`` image, reaches every
    position.
    """

    def __init__(self, style: BlockStyle, context_channels: int | None = None, *, kernel: int = 1) -> None:
        super().__init__()
        channels, norm = style.channels, style.weight_norm
        self.first = InitializedConv(2 * channels, channels, weight_norm=norm)
        self.context = None
        if context_channels is not None:
            self.context = InitializedConv(2 * context_channels, channels, 1, weight_norm=norm)
        self.dropout = Dropout(style.dropout)
        self.second = InitializedConv(2 * channels, 2 * channels, kernel, init_scale=GATED, weight_norm=norm)

    def forward(
        self, hidden: Float[Tensor, " N F H W"], context: Float[Tensor, " N C ..."] | None = None
    ) -> Float[Tensor, " N F H W"]:
        update = self.first(concat_elu(hidden))
        if self.context is not None and context is not None:
            update = update + self.context(concat_elu(context))
        return gated(hidden, self.second(self.dropout(concat_elu(update))))


class GatedAttention(nn.Module):
    """``h + p sigmoid(s)`` with ``(p, s) = conv1x1(attention(conv1x1(h + position)))``; every position sees all others.

    Attention is softmax(q k^T / sqrt(F / heads)) v in each of the heads, without a mask.
    """

    def __init__(self, style: BlockStyle, heads: int) -> None:
        super().__init__()
        channels, norm = style.channels, style.weight_norm
        self.heads = heads
        self.project = InitializedConv(channels, 3 * channels, 1, weight_norm=norm)
        self.dropout = Dropout(style.dropout)
        self.merge = InitializedConv(channels, 2 * channels, 1, init_scale=GATED, weight_norm=norm)

    def forward(
        self, hidden: Float[Tensor, " N F H W"], position: Float[Tensor, " F H W"]
    ) -> Float[Tensor, " N F H W"]:
        rows, channels, height, width = hidden.shape
        projected = self.project(hidden + position)
        split = projected.reshape(rows, 3, self.heads, channels // self.heads, height * width)
        query, key, value = (part.mT for part in split.unbind(1))
        seen = attend(query, key, value).mT
        return gated(hidden, self.merge(self.dropout(seen.reshape(rows, channels, height, width))))
