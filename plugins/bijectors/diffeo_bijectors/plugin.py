"""The manifest: couplings, autoregressive layers and what fills their slots; the linear maps are in ``records_linear``."""

from diffeo_bijectors.records_linear import COMPONENTS as LINEAR
from diffeo_bijectors.records_recipes import RECIPES
from diffeo_registry import Component, ComponentsOf, Kind, Recipe, hookimpl

NICE = "Dinh et al. 2014, arXiv:1410.8516"
REALNVP = "Dinh et al. 2017, arXiv:1605.08803"
SPLINES = "Durkan et al. 2019, arXiv:1906.04032"
RESNET = "He et al. 2016, arXiv:1603.05027"

KINDS = [
    Kind(
        name="elementwise",
        plural="elementwise",
        protocol="diffeo_bijectors.elementwise:Elementwise",
        summary="A monotonic map of single entries whose parameters a network computes; used by coupling and autoregressive.",
        laws="diffeo_bijectors.laws:ELEMENTWISE",
    ),
    Kind(
        name="scale",
        plural="scales",
        protocol="diffeo_bijectors.scale:Scale",
        summary="From a raw network output to a log-scale.",
        laws="diffeo_bijectors.laws:SCALE",
    ),
    Kind(
        name="split",
        plural="splits",
        protocol="diffeo_bijectors.split:Split",
        built_with=("shape",),
        summary="Which entries of an event a coupling keeps and which it changes.",
        laws="diffeo_bijectors.laws:SPLIT",
    ),
]

component = ComponentsOf("diffeo_bijectors")

COMPONENTS = [
    component(
        "bijector",
        "coupling",
        "Coupling",
        "coupling:CouplingBijector",
        "Transforms one part of the event with parameters computed from the other part; one pass either way.",
        NICE,
    ),
    component(
        "bijector",
        "autoregressive",
        "Autoregressive",
        "autoregressive:AutoregressiveBijector",
        "Transforms every entry with parameters computed from those before it; the inverse takes a pass per entry.",
        "Papamakarios et al. 2017, arXiv:1705.07057",
    ),
    component("elementwise", "additive", "Additive", "additive:AdditiveElementwise", "A shift.", NICE),
    component("elementwise", "affine", "Affine", "affine:AffineElementwise", "A scale and a shift.", REALNVP),
    component(
        "elementwise",
        "rq_spline",
        "RQSpline",
        "rq_spline:RQSplineElementwise",
        "A monotonic rational-quadratic spline inside a box, the identity outside.",
        SPLINES,
    ),
    component("scale", "exp", "Exp", "exp_scale:ExpScale", "The raw output is the log-scale; unbounded."),
    component("scale", "tanh", "Tanh", "tanh_scale:TanhScale", "A log-scale bounded on both sides."),
    component(
        "scale",
        "sigmoid",
        "Sigmoid",
        "sigmoid_scale:SigmoidScale",
        "A log-scale bounded above: layers shrink freely and stretch a little.",
        "Kingma & Dhariwal 2018, arXiv:1807.03039",
    ),
    component("split", "half", "Half", "half:HalfSplit", "First and last half of a vector."),
    component("split", "alternate", "Alternate", "alternate:AlternateSplit", "Even and odd entries of a vector."),
    component("split", "channel", "Channel", "channel:ChannelSplit", "First and last half of the channels.", REALNVP),
    component(
        "split",
        "checkerboard",
        "Checkerboard",
        "checkerboard:CheckerboardSplit",
        "White and black pixels of an image, laid out as two images.",
        REALNVP,
    ),
    component("network", "mlp", "MLP", "mlp:MLPNetwork", "A multilayer perceptron; flattens events of any rank."),
    component(
        "network",
        "separate_mlps",
        "SeparateMLPs",
        "separate_mlps:SeparateMLPsNetwork",
        "Multilayer perceptrons that share nothing, each for a part of the output, such as scales and shifts.",
    ),
    component(
        "network",
        "residual_mlp",
        "ResidualMLP",
        "residual_mlp:ResidualMLPNetwork",
        "A residual multilayer perceptron whose blocks the context gates; flattens events of any rank.",
        RESNET,
    ),
    component(
        "network",
        "conv_resnet",
        "ConvResNet",
        "conv_resnet:ConvResNetNetwork",
        "A residual convolutional network for images; the context is a vector or an image.",
        RESNET,
    ),
    component(
        "encoder",
        "mlp_encoder",
        "MLPEncoder",
        "mlp_encoder:MLPEncoderEncoder",
        "From a context of any shape to a vector of features, by a multilayer perceptron.",
    ),
    component(
        "encoder",
        "conv_encoder",
        "ConvEncoder",
        "conv_encoder:ConvEncoderEncoder",
        "From an image to a vector of features, by strided convolutions.",
    ),
]


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    return [*KINDS, *COMPONENTS, *LINEAR, *RECIPES]
