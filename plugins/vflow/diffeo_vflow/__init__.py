"""VFlow and the parts of Flow++. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_registry import lazy_names
from diffeo_vflow.config import (
    Column,
    EachPart,
    FirstChannels,
    GatedConvAttention,
    GatedConvEncoder,
    MixtureLogistic,
    SwapParts,
)
from diffeo_vflow.config_augment import ConditionalNormal, DiagonalLogistic, Variational, VFlow
from diffeo_vflow.config_evaluators import ClippedShare, ModeTransport

if TYPE_CHECKING:
    from diffeo_vflow.column import ColumnSplit
    from diffeo_vflow.conditional_normal import ConditionalNormalDistribution
    from diffeo_vflow.conditioning import ConditionedDraw
    from diffeo_vflow.diagonal_logistic import DiagonalLogisticDistribution
    from diffeo_vflow.each_part import EachPartBijector
    from diffeo_vflow.evaluators.clipped_share import ClippedShareEvaluator, Clips
    from diffeo_vflow.evaluators.mode_transport import ModeTransportEvaluator
    from diffeo_vflow.first_channels import FirstChannelsSplit
    from diffeo_vflow.gated_conv_attention import GatedConvAttentionNetwork
    from diffeo_vflow.gated_conv_encoder import GatedConvEncoderEncoder
    from diffeo_vflow.mixture_logistic import MixtureLogisticElementwise
    from diffeo_vflow.root_finding import root_between
    from diffeo_vflow.swap_parts import SwapPartsBijector
    from diffeo_vflow.variational import VariationalDequantization
    from diffeo_vflow.vflow import VFlowAugmenter

_HOME = {
    "ClippedShareEvaluator": "evaluators.clipped_share",
    "Clips": "evaluators.clipped_share",
    "ColumnSplit": "column",
    "ConditionalNormalDistribution": "conditional_normal",
    "ConditionedDraw": "conditioning",
    "DiagonalLogisticDistribution": "diagonal_logistic",
    "EachPartBijector": "each_part",
    "FirstChannelsSplit": "first_channels",
    "GatedConvAttentionNetwork": "gated_conv_attention",
    "GatedConvEncoderEncoder": "gated_conv_encoder",
    "MixtureLogisticElementwise": "mixture_logistic",
    "ModeTransportEvaluator": "evaluators.mode_transport",
    "SwapPartsBijector": "swap_parts",
    "VFlowAugmenter": "vflow",
    "VariationalDequantization": "variational",
    "root_between": "root_finding",
}

__all__ = [
    "ClippedShare",
    "ClippedShareEvaluator",
    "Clips",
    "Column",
    "ColumnSplit",
    "ConditionalNormal",
    "ConditionalNormalDistribution",
    "ConditionedDraw",
    "DiagonalLogistic",
    "DiagonalLogisticDistribution",
    "EachPart",
    "EachPartBijector",
    "FirstChannels",
    "FirstChannelsSplit",
    "GatedConvAttention",
    "GatedConvAttentionNetwork",
    "GatedConvEncoder",
    "GatedConvEncoderEncoder",
    "MixtureLogistic",
    "MixtureLogisticElementwise",
    "ModeTransport",
    "ModeTransportEvaluator",
    "SwapParts",
    "SwapPartsBijector",
    "VFlow",
    "VFlowAugmenter",
    "Variational",
    "VariationalDequantization",
    "root_between",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
