"""The conditioner network of Flow++ (Ho et al. 2019, arXiv:1902.00275, section 3.3).

N folded batch, F channels of the residual stream, C channels, H, W height and width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo_bijectors import check_images, fold
from diffeo_vflow.config import GatedConvAttention
from diffeo_vflow.gated_blocks import BlockStyle, ChannelNorm, GatedAttention, GatedConv, concat_elu
from diffeo_vflow.initialized_conv import InitializedConv

__all__ = ["GatedConvAttentionNetwork", "GatedLayers"]

Shape = tuple[int, ...]

POSITION = 0.01
"""Standard deviation of the position embedding at first, as in Flow++."""


class GatedLayers(nn.Module):
    """Blocks of a gated convolution and an attention, each with a layer norm behind it; one position embedding for all."""

    def __init__(
        self, style: BlockStyle, blocks: int, heads: int, size: tuple[int, int], context_channels: int | None
    ) -> None:
        super().__init__()
        channels = style.channels
        self.convs = nn.ModuleList(GatedConv(style, context_channels) for _ in range(blocks))
        self.conv_norms = nn.ModuleList(ChannelNorm(channels) for _ in range(blocks))
        attentions = blocks if heads else 0
        self.position = nn.Parameter(POSITION * torch.randn(channels, *size)) if attentions else None
        self.attentions = nn.ModuleList(GatedAttention(style, heads) for _ in range(attentions))
        self.attention_norms = nn.ModuleList(ChannelNorm(channels) for _ in range(attentions))

    def forward(self, hidden: Float[Tensor, " N F H W"], context: Tensor | None) -> Float[Tensor, " N F H W"]:
        for index, (conv, norm) in enumerate(zip(self.convs, self.conv_norms, strict=True)):
            hidden = norm(conv(hidden, context))
            if self.position is not None:
                hidden = self.attention_norms[index](self.attentions[index](hidden, self.position))
        return hidden


class GatedConvAttentionNetwork(diffeo.Network):
    """A 3x3 convolution in, ``blocks`` of a gated convolution and attention over all positions, a 3x3 convolution out.

        h = conv(x);      blocks times: h = norm(gated_conv(h, context)), h = norm(gated_attention(h + position));      conv(h)

    See ``GatedConv`` and ``GatedAttention``. With ``attention: false`` the blocks are gated convolutions alone, as for
    dequantization in VFlow. ``norm`` is over channels. A context, a vector or an image of the same height and width, enters
    every gated convolution.

    Shapes: ``(*B, C, H, W)`` to ``(*B, C_out, H, W)``. All leading dimensions are folded into one. Memory of the attention
    grows with (H W)^2 on a CPU; see ``attend``.

    Initialisation: from data, layer by layer, in the trainer's first pass (``InitializedConv``); its output then has the
    deviation ``init_scale``. With ``init_scale`` 0 it returns 0 at first.

    Source: Ho, Chen, Srinivas, Duan and Abbeel 2019, arXiv:1902.00275, section 3.3; sizes as in its code.

    >>> import torch, diffeo
    >>> spec = {"gated_conv_attention": {"channels": 8, "blocks": 1}}
    >>> net = diffeo.build("network", spec, in_shape=(2, 4, 2), out_shape=(6, 4, 2), context_shape=(3,))
    >>> net(torch.ones(7, 2, 4, 2), context=torch.ones(7, 3)).shape
    torch.Size([7, 6, 4, 2])
    """

    def __init__(
        self, config: GatedConvAttention, in_shape: Shape, out_shape: Shape, context_shape: Shape | None = None
    ) -> None:
        check_images(in_shape, out_shape, context_shape)
        super().__init__(in_shape, out_shape, context_shape)
        style = BlockStyle(config.channels, config.dropout, config.weight_norm)
        self.takes_vector = context_shape is not None and len(context_shape) == 1
        self.input_layer = InitializedConv(in_shape[0], config.channels, weight_norm=config.weight_norm)
        self.layers = GatedLayers(
            style,
            config.blocks,
            config.heads if config.attention else 0,
            (in_shape[1], in_shape[2]),
            None if context_shape is None else context_shape[0],
        )
        self.last_elu = config.last_elu
        self.output_layer = InitializedConv(
            (2 if config.last_elu else 1) * config.channels,
            out_shape[0],
            init_scale=config.init_scale,
            weight_norm=config.weight_norm,
        )

    def compute(self, x: Float[Tensor, "*B C H W"], context: Tensor | None) -> Float[Tensor, "*B C_out H W"]:
        batch = x.shape[:-3]
        if context is not None:
            context = fold(context, len(batch))
            context = context[..., None, None] if self.takes_vector else context
        hidden = self.layers(self.input_layer(fold(x, len(batch))), context)
        hidden = concat_elu(hidden) if self.last_elu else hidden
        return self.output_layer(hidden).reshape(*batch, *self.out_shape)
