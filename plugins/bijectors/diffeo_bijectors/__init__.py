"""The standard parts of a normalizing flow. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_bijectors.config import (
    MLP,
    Additive,
    Affine,
    Alternate,
    Autoregressive,
    Channel,
    Checkerboard,
    ConvEncoder,
    ConvResNet,
    Coupling,
    Exp,
    Half,
    MLPEncoder,
    ResidualMLP,
    RQSpline,
    SeparateMLPs,
    Sigmoid,
    Tanh,
)
from diffeo_bijectors.config_linear import (
    ActNorm,
    Conv1x1,
    DenseLinear,
    LULinear,
    Permutation,
    QRLinear,
    Reverse,
    Shuffle,
)
from diffeo_bijectors.config_preprocessing import Logit, Reshape, ScaleShift, Softplus, Squeeze, Uniform
from diffeo_registry import lazy_names

if TYPE_CHECKING:
    from diffeo_bijectors.actnorm import ActNormBijector
    from diffeo_bijectors.additive import AdditiveElementwise
    from diffeo_bijectors.affine import AffineElementwise
    from diffeo_bijectors.alternate import AlternateSplit
    from diffeo_bijectors.autoregressive import AutoregressiveBijector
    from diffeo_bijectors.batch_norm import BatchNorm
    from diffeo_bijectors.channel import ChannelSplit
    from diffeo_bijectors.checkerboard import CheckerboardSplit
    from diffeo_bijectors.compiling import compile_elementwise
    from diffeo_bijectors.conv1x1 import Conv1x1Bijector
    from diffeo_bijectors.conv_encoder import ConvEncoderEncoder
    from diffeo_bijectors.conv_resnet import ConvResNetNetwork
    from diffeo_bijectors.coupling import CouplingBijector
    from diffeo_bijectors.dense_linear import DenseLinearBijector
    from diffeo_bijectors.elementwise import Elementwise
    from diffeo_bijectors.exp_scale import ExpScale
    from diffeo_bijectors.half import HalfSplit
    from diffeo_bijectors.images import check_images, fold
    from diffeo_bijectors.logit import LogitBijector
    from diffeo_bijectors.lu import LULinearBijector
    from diffeo_bijectors.masked_mlp import MaskedMLP
    from diffeo_bijectors.mlp import MLPNetwork
    from diffeo_bijectors.mlp_encoder import MLPEncoderEncoder
    from diffeo_bijectors.permutations import PermutationBijector, ReverseBijector, ShuffleBijector
    from diffeo_bijectors.qr import QRLinearBijector
    from diffeo_bijectors.reshape import ReshapeBijector
    from diffeo_bijectors.residual_mlp import ResidualMLPNetwork
    from diffeo_bijectors.rq_spline import RQSplineElementwise, rational_quadratic, rational_quadratic_inverse
    from diffeo_bijectors.scale import Scale
    from diffeo_bijectors.scale_shift import ScaleShiftBijector
    from diffeo_bijectors.separate_mlps import SeparateMLPsNetwork
    from diffeo_bijectors.sigmoid_scale import SigmoidScale
    from diffeo_bijectors.softplus import SoftplusBijector
    from diffeo_bijectors.split import Split
    from diffeo_bijectors.squeeze import SqueezeBijector
    from diffeo_bijectors.tanh_scale import TanhScale
    from diffeo_bijectors.uniform import UniformDequantization

_HOME = {
    "ActNormBijector": "actnorm",
    "AdditiveElementwise": "additive",
    "AffineElementwise": "affine",
    "AlternateSplit": "alternate",
    "AutoregressiveBijector": "autoregressive",
    "BatchNorm": "batch_norm",
    "ChannelSplit": "channel",
    "CheckerboardSplit": "checkerboard",
    "Conv1x1Bijector": "conv1x1",
    "ConvEncoderEncoder": "conv_encoder",
    "ConvResNetNetwork": "conv_resnet",
    "CouplingBijector": "coupling",
    "DenseLinearBijector": "dense_linear",
    "Elementwise": "elementwise",
    "ExpScale": "exp_scale",
    "HalfSplit": "half",
    "LULinearBijector": "lu",
    "LogitBijector": "logit",
    "MLPEncoderEncoder": "mlp_encoder",
    "MLPNetwork": "mlp",
    "MaskedMLP": "masked_mlp",
    "PermutationBijector": "permutations",
    "QRLinearBijector": "qr",
    "RQSplineElementwise": "rq_spline",
    "ReshapeBijector": "reshape",
    "ResidualMLPNetwork": "residual_mlp",
    "ReverseBijector": "permutations",
    "Scale": "scale",
    "ScaleShiftBijector": "scale_shift",
    "SeparateMLPsNetwork": "separate_mlps",
    "ShuffleBijector": "permutations",
    "SigmoidScale": "sigmoid_scale",
    "SoftplusBijector": "softplus",
    "Split": "split",
    "SqueezeBijector": "squeeze",
    "TanhScale": "tanh_scale",
    "UniformDequantization": "uniform",
    "check_images": "images",
    "compile_elementwise": "compiling",
    "fold": "images",
    "rational_quadratic": "rq_spline",
    "rational_quadratic_inverse": "rq_spline",
}

__all__ = [
    "MLP",
    "ActNorm",
    "ActNormBijector",
    "Additive",
    "AdditiveElementwise",
    "Affine",
    "AffineElementwise",
    "Alternate",
    "AlternateSplit",
    "Autoregressive",
    "AutoregressiveBijector",
    "BatchNorm",
    "Channel",
    "ChannelSplit",
    "Checkerboard",
    "CheckerboardSplit",
    "Conv1x1",
    "Conv1x1Bijector",
    "ConvEncoder",
    "ConvEncoderEncoder",
    "ConvResNet",
    "ConvResNetNetwork",
    "Coupling",
    "CouplingBijector",
    "DenseLinear",
    "DenseLinearBijector",
    "Elementwise",
    "Exp",
    "ExpScale",
    "Half",
    "HalfSplit",
    "LULinear",
    "LULinearBijector",
    "Logit",
    "LogitBijector",
    "MLPEncoder",
    "MLPEncoderEncoder",
    "MLPNetwork",
    "MaskedMLP",
    "Permutation",
    "PermutationBijector",
    "QRLinear",
    "QRLinearBijector",
    "RQSpline",
    "RQSplineElementwise",
    "Reshape",
    "ReshapeBijector",
    "ResidualMLP",
    "ResidualMLPNetwork",
    "Reverse",
    "ReverseBijector",
    "Scale",
    "ScaleShift",
    "ScaleShiftBijector",
    "SeparateMLPs",
    "SeparateMLPsNetwork",
    "Shuffle",
    "ShuffleBijector",
    "Sigmoid",
    "SigmoidScale",
    "Softplus",
    "SoftplusBijector",
    "Split",
    "Squeeze",
    "SqueezeBijector",
    "Tanh",
    "TanhScale",
    "Uniform",
    "UniformDequantization",
    "check_images",
    "compile_elementwise",
    "fold",
    "rational_quadratic",
    "rational_quadratic_inverse",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
