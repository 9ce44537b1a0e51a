"""Residual convolutional conditioner (after He et al. 2016, arXiv:1603.05027).

N folded batch, C channels, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors.batch_norm import BatchNorm
from diffeo_bijectors.config import ConvResNet
from diffeo_bijectors.events import Shape
from diffeo_bijectors.images import check_images, fold
from diffeo_bijectors.residual_mlp import NEAR_ZERO

__all__ = ["ConvResNetNetwork"]

BATCH_NORM_EPS = 1e-3  # of Durkan et al. 2019 (arXiv:1906.04032), whose image flows this network comes from


class ConvResNetNetwork(diffeo.Network):
    """A 1x1 convolution in, ``blocks`` residual blocks, a ReLU and a 1x1 convolution out, which starts at zero.

        block(h) = h + conv(relu(norm(conv(relu(norm(h))) + u)))          u = U c for a context vector c, else 0

    The last ReLU can be left out (``last_relu``), and the last convolution start elsewhere (``init: uniform``).

    A context vector enters every block as a bias per channel; a context image ``(C', H, W)`` of the same height and width
    is concatenated to the input.

    Shapes: ``(*B, C, H, W)`` to ``(*B, C_out, H, W)``. All leading dimensions are folded into one.

    Numerics: ``norm: batch`` (eps 1e-3) uses the statistics of the batch while training, in either direction, so a layer
    then maps a row differently in another batch, and its inverse undoes it exactly in eval mode only, or with
    ``diffeo.recorded_statistics`` and ``diffeo.replayed_statistics`` around the two.

    Source: pre-activation of He, Zhang, Ren and Sun 2016, arXiv:1603.05027; layout and initialisation of the image flows of
    Durkan, Bekasov, Murray and Papamakarios 2019, arXiv:1906.04032.

    >>> import torch, diffeo
    >>> spec = {"conv_resnet": {"channels": 8, "blocks": 1}}
    >>> net = diffeo.build("network", spec, in_shape=(2, 4, 4), out_shape=(6, 4, 4), context_shape=(3,))
    >>> net(torch.ones(7, 2, 4, 4), context=torch.ones(7, 3)).shape
    torch.Size([7, 6, 4, 4])
    """

    def __init__(
        self, config: ConvResNet, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        check_images(in_shape, out_shape, context_shape)
        super().__init__(in_shape, out_shape, context_shape)
        self.capabilities = diffeo.Capabilities(context="all", batch_statistics=config.norm == "batch")
        self.takes_vector = context_shape is not None and len(context_shape) == 1
        beside = context_shape[0] if context_shape is not None and not self.takes_vector else 0
        features = context_shape[0] if context_shape is not None and self.takes_vector else None
        self.input_layer = nn.Conv2d(in_shape[0] + beside, config.channels, 1)
        self.blocks = nn.ModuleList(ConvBlock(config, features) for _ in range(config.blocks))
        self.output_layer = nn.Conv2d(config.channels, out_shape[0], 1)
        if config.init == "zero":
            nn.init.zeros_(self.output_layer.weight)
            nn.init.zeros_(self.output_layer.bias)  # pyright: ignore[reportArgumentType]
        self.last_relu = config.last_relu

    def compute(self, x: Float[Tensor, "*B C H W"], context: Tensor | None) -> Float[Tensor, "*B C_out H W"]:
        batch = x.shape[:-3]
        hidden, vector = fold(x, len(batch)), None
        if context is not None and self.takes_vector:
            vector = fold(context, len(batch))
        elif context is not None:
            hidden = torch.cat([hidden, fold(context, len(batch))], dim=1)
        hidden = self.input_layer(hidden)
        for block in self.blocks:
            hidden = block(hidden, vector)
        hidden = torch.relu(hidden) if self.last_relu else hidden
        return self.output_layer(hidden).reshape(*batch, *self.out_shape)


class ConvBlock(nn.Module):
    """Two pre-activated convolutions around a skip, the second one starting near zero."""

    def __init__(self, config: ConvResNet, context_features: int | None) -> None:
        super().__init__()
        channels, padding = config.channels, config.kernel // 2
        self.first_norm, self.second_norm = make_norm(config), make_norm(config)
        self.first = nn.Conv2d(channels, channels, config.kernel, padding=padding)
        self.second = nn.Conv2d(channels, channels, config.kernel, padding=padding)
        nn.init.uniform_(self.second.weight, -NEAR_ZERO, NEAR_ZERO)
        nn.init.uniform_(self.second.bias, -NEAR_ZERO, NEAR_ZERO)  # pyright: ignore[reportArgumentType]
        self.context_layer = None if context_features is None else nn.Linear(context_features, channels)

    def forward(
        self, hidden: Float[Tensor, " N C H W"], vector: Float[Tensor, " N F"] | None
    ) -> Float[Tensor, " N C H W"]:
        update = self.first(torch.relu(self.first_norm(hidden)))
        if self.context_layer is not None and vector is not None:
            update = update + self.context_layer(vector)[..., None, None]
        return hidden + self.second(torch.relu(self.second_norm(update)))


def make_norm(config: ConvResNet) -> nn.Module:
    """The layer in front of an activation."""
    return BatchNorm(config.channels, eps=BATCH_NORM_EPS) if config.norm == "batch" else nn.Identity()
