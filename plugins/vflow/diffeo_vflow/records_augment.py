"""Records of the augmenter, the dequantization and what they draw from; recipes on the plane."""

from diffeo_registry import ComponentsOf

__all__ = ["COMPONENTS"]

VFLOW = "Chen et al. 2020, arXiv:2002.09741"
FLOWPP = "Ho et al. 2019, arXiv:1902.00275"

component = ComponentsOf("diffeo_vflow", config="config_augment", cases="conformance_augment")

COMPONENTS = [
    component(
        "augmenter",
        "vflow",
        "VFlow",
        "vflow:VFlowAugmenter",
        "Appends dimensions or channels z drawn from q(z | x), so that the flow behind is wider than the data.",
        VFLOW,
    ),
    component(
        "dequantization",
        "variational",
        "Variational",
        "variational:VariationalDequantization",
        "Adds noise to integers that a conditional distribution learns.",
        FLOWPP,
    ),
    component(
        "distribution",
        "conditional_normal",
        "ConditionalNormal",
        "conditional_normal:ConditionalNormalDistribution",
        "Independent normals whose locations and scales a network computes from the context.",
        VFLOW,
    ),
    component(
        "distribution",
        "diagonal_logistic",
        "DiagonalLogistic",
        "diagonal_logistic:DiagonalLogisticDistribution",
        "Independent logistics; the sigmoid of a standard one is uniform.",
        "",
    ),
]
