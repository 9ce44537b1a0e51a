"""Records of the Flow++ parts: the elementwise transform, its networks, the split."""

from diffeo_registry import ComponentsOf

__all__ = ["COMPONENTS"]

FLOWPP = "Ho et al. 2019, arXiv:1902.00275"

component = ComponentsOf("diffeo_vflow", source=FLOWPP)

COMPONENTS = [
    component(
        "elementwise",
        "mixture_logistic",
        "MixtureLogistic",
        "mixture_logistic:MixtureLogisticElementwise",
        "The distribution function of a mixture of logistics, then logit, scale and shift.",
    ),
    component(
        "network",
        "gated_conv_attention",
        "GatedConvAttention",
        "gated_conv_attention:GatedConvAttentionNetwork",
        "Gated convolutions and attention over all positions, with layer norms and a position embedding.",
    ),
    component(
        "encoder",
        "gated_conv_encoder",
        "GatedConvEncoder",
        "gated_conv_encoder:GatedConvEncoderEncoder",
        "Features of an image, of the height and width of the parts of a split.",
    ),
    component(
        "bijector",
        "each_part",
        "EachPart",
        "each_part:EachPartBijector",
        "A bijector for each part of a split, with parameters of its own.",
    ),
    component("bijector", "swap_parts", "SwapParts", "swap_parts:SwapPartsBijector", "Exchanges the parts of a split."),
    component(
        "split",
        "first_channels",
        "FirstChannels",
        "first_channels:FirstChannelsSplit",
        "The first few channels and the rest.",
        "Chen et al. 2020, arXiv:2002.09741",
    ),
    component("split", "column", "Column", "column:ColumnSplit", "Even and odd columns of an image, each as an image."),
]
