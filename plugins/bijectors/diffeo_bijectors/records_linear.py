"""Records of the linear maps, of the steps at the front of a flow, and of the dequantization."""

from diffeo_registry import ComponentsOf

GLOW = "Kingma & Dhariwal 2018, arXiv:1807.03039"
REALNVP = "Dinh et al. 2017, arXiv:1605.08803"

linear = ComponentsOf("diffeo_bijectors", config="config_linear")
preprocessing = ComponentsOf("diffeo_bijectors", config="config_preprocessing")

COMPONENTS = [
    linear(
        "bijector",
        "actnorm",
        "ActNorm",
        "actnorm:ActNormBijector",
        "A learned shift and scale per channel, set from the first batch to mean 0 and standard deviation 1.",
        GLOW,
    ),
    linear(
        "bijector",
        "reverse",
        "Reverse",
        "permutations:ReverseBijector",
        "Reverses the entries of a vector or the channels of an image.",
    ),
    linear(
        "bijector",
        "shuffle",
        "Shuffle",
        "permutations:ShuffleBijector",
        "A random permutation of entries or channels, drawn once and saved with the weights.",
    ),
    linear(
        "bijector",
        "permutation",
        "Permutation",
        "permutations:PermutationBijector",
        "A given permutation of entries or channels.",
    ),
    linear(
        "bijector", "lu_linear", "LULinear", "lu:LULinearBijector", "A linear map of vectors in the form L U P.", GLOW
    ),
    linear(
        "bijector",
        "qr_linear",
        "QRLinear",
        "qr:QRLinearBijector",
        "A linear map of vectors: Householder reflections times a triangular matrix.",
        "Tomczak & Welling 2016, arXiv:1611.09630",
    ),
    linear(
        "bijector",
        "dense_linear",
        "DenseLinear",
        "dense_linear:DenseLinearBijector",
        "A linear map of vectors by a matrix of free parameters.",
        GLOW,
    ),
    linear(
        "bijector",
        "conv1x1",
        "Conv1x1",
        "conv1x1:Conv1x1Bijector",
        "An invertible 1x1 convolution: a linear map of the channels, as L U P or as a dense matrix.",
        GLOW,
    ),
    preprocessing(
        "bijector",
        "squeeze",
        "Squeeze",
        "squeeze:SqueezeBijector",
        "Turns cells of pixels into channels: (C, H, W) to (4 C, H/2, W/2).",
        REALNVP,
    ),
    preprocessing(
        "bijector",
        "reshape",
        "Reshape",
        "reshape:ReshapeBijector",
        "Another event shape for the same entries; flattens by default.",
    ),
    preprocessing(
        "bijector",
        "scale_shift",
        "ScaleShift",
        "scale_shift:ScaleShiftBijector",
        "y = scale * x + shift, fixed or trained; brings data to the unit a flow works in.",
    ),
    preprocessing(
        "bijector",
        "logit",
        "Logit",
        "logit:LogitBijector",
        "For data in (0, 1): their logit, so that samples stay in the interval.",
        REALNVP,
    ),
    preprocessing(
        "bijector",
        "softplus",
        "Softplus",
        "softplus:SoftplusBijector",
        "For positive data: the inverse of softplus, so that samples are positive.",
    ),
    preprocessing(
        "dequantization",
        "uniform",
        "Uniform",
        "uniform:UniformDequantization",
        "Adds uniform noise in [0, 1) to integers.",
        "Theis et al. 2016, arXiv:1511.01844",
    ),
]
