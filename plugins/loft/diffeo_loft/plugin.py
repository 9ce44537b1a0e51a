"""The manifest: what diffeo-loft brings."""

from diffeo_loft.records_evaluators import COMPONENTS as EVALUATORS
from diffeo_loft.records_recipes import RECIPES
from diffeo_loft.records_targets import COMPONENTS as TARGETS
from diffeo_registry import Component, ComponentsOf, Kind, Recipe, hookimpl

LOFT = "Andrade 2024, arXiv:2402.16408"

component = ComponentsOf("diffeo_loft", source=LOFT)

COMPONENTS = [
    component(
        "bijector",
        "loft",
        "Loft",
        "loft:LoftBijector",
        "The identity near 0 and logarithmic beyond tau: no sample of a flow that ends in it is huge.",
    ),
    component(
        "scale",
        "soft_clamp",
        "SoftClamp",
        "soft_clamp:SoftClampScale",
        "A log-scale bounded by arc tangents, tightly above and loosely below.",
    ),
    component(
        "network",
        "two_mlps",
        "TwoMLPs",
        "two_mlps:TwoMLPsNetwork",
        "Two multilayer perceptrons that share nothing, such as one for log-scales and one for shifts.",
    ),
    component(
        "distribution",
        "student_t",
        "StudentT",
        "student_t:StudentTDistribution",
        "Independent Student-t variables, each with trainable degrees of freedom.",
        "Liang et al. 2022, arXiv:2205.07918; Andrade 2024, arXiv:2402.16408",
    ),
    component(
        "objective",
        "reverse_kl",
        "ReverseKL",
        "reverse_kl:ReverseKLObjective",
        "Variational inference of a target: minus the evidence lower bound, with or without the score.",
        "Roeder et al. 2017, arXiv:1703.09194; Vaitl et al. 2024, arXiv:2403.15881",
    ),
]


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    return [*COMPONENTS, *TARGETS, *EVALUATORS, *RECIPES]
