"""The manifest."""

from diffeo_nested_dropout.records_evaluators import COMPONENTS as EVALUATORS
from diffeo_nested_dropout.records_recipes import RECIPES
from diffeo_registry import Component, ComponentsOf, Kind, Recipe, hookimpl

NESTED_DROPOUT = "Rippel et al. 2014, arXiv:1402.0915"
ORDERED_FLOWS = "Bekasov & Murray 2020, arXiv:2006.08777"

KINDS = [
    Kind(
        name="order",
        plural="orders",
        protocol="diffeo_nested_dropout.order:Order",
        built_with=("shape",),
        summary="A distribution over how many of the first units are kept.",
        laws="diffeo_nested_dropout.laws:ORDER",
    )
]

component = ComponentsOf("diffeo_nested_dropout")

COMPONENTS = [
    component(
        "objective",
        "nested_dropout",
        "NestedDropout",
        "nested_dropout:NestedDropoutObjective",
        "Likelihood, plus the error of what is decoded from the first k latents alone.",
        ORDERED_FLOWS,
    ),
    component(
        "order",
        "geometric",
        "Geometric",
        "geometric:GeometricOrder",
        "The same probability of stopping at each number; the tail keeps everything.",
        NESTED_DROPOUT,
    ),
    Component(
        kind="dataset",
        name="rotated_gaussian",
        config="diffeo_nested_dropout.config_data:RotatedGaussian",
        implementation="diffeo_nested_dropout.rotated_gaussian:RotatedGaussianDataset",
        summary="Three dimensions of variance 1, 0.1 and 0.01, rotated, with the exact log-density",
        source=ORDERED_FLOWS,
        cases="diffeo_nested_dropout.conformance:CASES",
    ),
    component("order", "uniform", "Uniform", "uniform:UniformOrder", "Every number is as likely."),
    component(
        "order",
        "categorical",
        "Categorical",
        "categorical:CategoricalOrder",
        "Given numbers with given probabilities.",
    ),
]


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    return [*KINDS, *COMPONENTS, *EVALUATORS, *RECIPES]
