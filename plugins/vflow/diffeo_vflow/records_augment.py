"""Records of the augmenter, the dequantization and what they draw from; recipes on the plane."""

from diffeo_registry import Component

__all__ = ["COMPONENTS"]

VFLOW = "Chen et al. 2020, arXiv:2002.09741"
FLOWPP = "Ho et al. 2019, arXiv:1902.00275"


def _record(kind: str, name: str, config: str, implementation: str, summary: str, source: str) -> Component:
    return Component(
        kind=kind,
        name=name,
        config=f"diffeo_vflow.config_augment:{config}",
        implementation=f"diffeo_vflow.{implementation}",
        summary=summary,
        source=source,
        cases="diffeo_vflow.conformance_augment:CASES",
    )


COMPONENTS = [
    _record(
        "augmenter",
        "vflow",
        "VFlow",
        "vflow:VFlowAugmenter",
        "Appends dimensions or channels z drawn from q(z | x), so that the flow behind is wider than the data.",
        VFLOW,
    ),
    _record(
        "dequantization",
        "variational",
        "Variational",
        "variational:VariationalDequantization",
        "Adds noise to integers that a conditional distribution learns.",
        FLOWPP,
    ),
    _record(
        "distribution",
        "conditional_normal",
        "ConditionalNormal",
        "conditional_normal:ConditionalNormalDistribution",
        "Independent normals whose locations and scales a network computes from the context.",
        VFLOW,
    ),
    _record(
        "distribution",
        "diagonal_logistic",
        "DiagonalLogistic",
        "diagonal_logistic:DiagonalLogisticDistribution",
        "Independent logistics; the sigmoid of a standard one is uniform.",
        "",
    ),
]
