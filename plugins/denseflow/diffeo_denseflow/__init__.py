"""DenseFlow: flows that grow as they go, with attention in their couplings. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_denseflow.config import CrossUnit, DenseConv, DenseConvEncoder, ExpandingConv, NystromDenseConv
from diffeo_registry import lazy_names

if TYPE_CHECKING:
    from diffeo_denseflow.attention import approximate_inverse, landmark_means, nystrom_attention
    from diffeo_denseflow.cross_unit import CrossUnitAugmenter
    from diffeo_denseflow.dense_conv import DenseConvNetwork
    from diffeo_denseflow.dense_conv_encoder import DenseConvEncoderEncoder
    from diffeo_denseflow.expanding_conv import ExpandingConvNetwork
    from diffeo_denseflow.nystrom_dense_conv import NystromDenseConvNetwork

_HOME = {
    "CrossUnitAugmenter": "cross_unit",
    "DenseConvEncoderEncoder": "dense_conv_encoder",
    "DenseConvNetwork": "dense_conv",
    "ExpandingConvNetwork": "expanding_conv",
    "NystromDenseConvNetwork": "nystrom_dense_conv",
    "approximate_inverse": "attention",
    "landmark_means": "attention",
    "nystrom_attention": "attention",
}

__all__ = [
    "CrossUnit",
    "CrossUnitAugmenter",
    "DenseConv",
    "DenseConvEncoder",
    "DenseConvEncoderEncoder",
    "DenseConvNetwork",
    "ExpandingConv",
    "ExpandingConvNetwork",
    "NystromDenseConv",
    "NystromDenseConvNetwork",
    "approximate_inverse",
    "landmark_means",
    "nystrom_attention",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
