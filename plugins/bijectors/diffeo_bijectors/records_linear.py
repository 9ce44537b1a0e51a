"""Records of the linear maps, of the steps at the front of a flow, and of the dequantization."""

from diffeo_registry import Component

GLOW = "Kingma & Dhariwal 2018, arXiv:1807.03039"
REALNVP = "Dinh et al. 2017, arXiv:1605.08803"
CASES = "diffeo_bijectors.conformance:CASES"


def bijector(name: str, config: str, implementation: str, summary: str, source: str = "") -> Component:
    """A record of kind bijector in this package."""
    return Component(
        kind="bijector",
        name=name,
        config=f"diffeo_bijectors.{config}",
        implementation=f"diffeo_bijectors.{implementation}",
        summary=summary,
        source=source,
        cases=CASES,
    )


COMPONENTS = [
    bijector(
        "actnorm",
        "config_linear:ActNorm",
        "actnorm:ActNormBijector",
        "A learned shift and scale per channel, set from the first batch to mean 0 and standard deviation 1.",
        GLOW,
    ),
    bijector(
        "reverse",
        "config_linear:Reverse",
        "permutations:ReverseBijector",
        "Reverses the entries of a vector or the channels of an image.",
    ),
    bijector(
        "shuffle",
        "config_linear:Shuffle",
        "permutations:ShuffleBijector",
        "A random permutation of entries or channels, drawn once and saved with the weights.",
    ),
    bijector(
        "permutation",
        "config_linear:Permutation",
        "permutations:PermutationBijector",
        "A given permutation of entries or channels.",
    ),
    bijector(
        "lu_linear", "config_linear:LULinear", "lu:LULinearBijector", "A linear map of vectors in the form L U P.", GLOW
    ),
    bijector(
        "qr_linear",
        "config_linear:QRLinear",
        "qr:QRLinearBijector",
        "A linear map of vectors: Householder reflections times a triangular matrix.",
        "Tomczak & Welling 2016, arXiv:1611.09630",
    ),
    bijector(
        "dense_linear",
        "config_linear:DenseLinear",
        "dense_linear:DenseLinearBijector",
        "A linear map of vectors by a matrix of free parameters.",
        GLOW,
    ),
    bijector(
        "conv1x1",
        "config_linear:Conv1x1",
        "conv1x1:Conv1x1Bijector",
        "An invertible 1x1 convolution: a linear map of the channels, as L U P or as a dense matrix.",
        GLOW,
    ),
    bijector(
        "squeeze",
        "config_preprocessing:Squeeze",
        "squeeze:SqueezeBijector",
        "Turns cells of pixels into channels: (C, H, W) to (4 C, H/2, W/2).",
        REALNVP,
    ),
    bijector(
        "reshape",
        "config_preprocessing:Reshape",
        "reshape:ReshapeBijector",
        "Another event shape for the same entries; flattens by default.",
    ),
    bijector(
        "scale_shift",
        "config_preprocessing:ScaleShift",
        "scale_shift:ScaleShiftBijector",
        "y = scale * x + shift, fixed or trained; brings data to the unit a flow works in.",
    ),
    bijector(
        "logit",
        "config_preprocessing:Logit",
        "logit:LogitBijector",
        "For data in (0, 1): their logit, so that samples stay in the interval.",
        REALNVP,
    ),
    bijector(
        "softplus",
        "config_preprocessing:Softplus",
        "softplus:SoftplusBijector",
        "For positive data: the inverse of softplus, so that samples are positive.",
    ),
    Component(
        kind="dequantization",
        name="uniform",
        config="diffeo_bijectors.config_preprocessing:Uniform",
        implementation="diffeo_bijectors.uniform:UniformDequantization",
        summary="Adds uniform noise in [0, 1) to integers.",
        source="Theis et al. 2016, arXiv:1511.01844",
        cases=CASES,
    ),
]
