"""Records of what flows and their training need: bijector, scale, network, distribution, objective."""

from diffeo_registry import Component

LOFT = "Andrade 2024, arXiv:2402.16408"
CASES = "diffeo_loft.conformance:CASES"


def record(kind: str, name: str, config: str, implementation: str, summary: str, source: str = LOFT) -> Component:
    """A record of this package whose config is in ``config.py``."""
    return Component(
        kind=kind,
        name=name,
        config=f"diffeo_loft.config:{config}",
        implementation=f"diffeo_loft.{implementation}",
        summary=summary,
        source=source,
        cases=CASES,
    )


COMPONENTS = [
    record(
        "bijector",
        "loft",
        "Loft",
        "loft:LoftBijector",
        "The identity near 0 and logarithmic beyond tau: no sample of a flow that ends in it is huge.",
    ),
    record(
        "scale",
        "soft_clamp",
        "SoftClamp",
        "soft_clamp:SoftClampScale",
        "A log-scale bounded by arc tangents, tightly above and loosely below.",
    ),
    record(
        "network",
        "two_mlps",
        "TwoMLPs",
        "two_mlps:TwoMLPsNetwork",
        "Two multilayer perceptrons that share nothing, such as one for log-scales and one for shifts.",
    ),
    record(
        "distribution",
        "student_t",
        "StudentT",
        "student_t:StudentTDistribution",
        "Independent Student-t variables, each with trainable degrees of freedom.",
        "Liang et al. 2022, arXiv:2205.07918; Andrade 2024, arXiv:2402.16408",
    ),
    record(
        "objective",
        "reverse_kl",
        "ReverseKL",
        "reverse_kl:ReverseKLObjective",
        "Variational inference of a target: minus the evidence lower bound, with or without the score.",
        "Roeder et al. 2017, arXiv:1703.09194; Vaitl et al. 2024, arXiv:2403.15881",
    ),
]
