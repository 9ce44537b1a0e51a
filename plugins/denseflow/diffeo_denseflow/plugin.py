"""The manifest: what diffeo-denseflow brings. The data of the recipes come with diffeo-data."""

from diffeo_registry import Component, ComponentsOf, Recipe, hookimpl

DENSEFLOW = "Grcic et al. 2021, arXiv:2106.04627"

component = ComponentsOf("diffeo_denseflow", source=DENSEFLOW)

COMPONENTS = [
    component(
        "augmenter",
        "cross_unit",
        "CrossUnit",
        "cross_unit:CrossUnitAugmenter",
        "Units in a row; noise that depends on all earlier ones is appended in front of each but the first.",
    ),
    component(
        "network",
        "nystrom_dense_conv",
        "NystromDenseConv",
        "nystrom_dense_conv:NystromDenseConvNetwork",
        "Densely connected convolutions beside attention over all positions in linear time.",
    ),
    component(
        "network",
        "expanding_conv",
        "ExpandingConv",
        "expanding_conv:ExpandingConvNetwork",
        "A 3x3 convolution to several times the channels, a ReLU, a 1x1 convolution.",
    ),
    component(
        "network",
        "dense_conv",
        "DenseConv",
        "dense_conv:DenseConvNetwork",
        "Densely connected convolutions with a gate, around a skip.",
        "Nielsen et al. 2020, arXiv:2007.02731",
    ),
    component(
        "encoder",
        "dense_conv_encoder",
        "DenseConvEncoder",
        "dense_conv_encoder:DenseConvEncoderEncoder",
        "Features of an image at half its height and width.",
        "Nielsen et al. 2020, arXiv:2007.02731",
    ),
]


def _recipe(name: str, summary: str) -> Recipe:
    return Recipe(
        name=f"denseflow/{name}",
        file=f"diffeo_denseflow:recipes/denseflow/{name}.yaml",
        summary=summary,
        source=DENSEFLOW,
    )


RECIPES = [
    _recipe("cifar10", "DenseFlow-74-10 on CIFAR-10."),
    _recipe("cifar10-small", "DenseFlow-45-6 on CIFAR-10, the model of the paper's ablation."),
    _recipe("imagenet32", "DenseFlow-74-10 on ImageNet at 32 x 32."),
    _recipe("fashion-mnist-small", "A small DenseFlow on clothes of 16 x 16 pixels; minutes on two cores."),
]


@hookimpl
def diffeo_components() -> list[Component | Recipe]:
    return [*COMPONENTS, *RECIPES]
