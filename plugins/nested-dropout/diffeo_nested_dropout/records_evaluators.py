"""Records of the evaluators."""

from diffeo_registry import Component

__all__ = ["COMPONENTS"]

ORDERED_FLOWS = "Bekasov & Murray 2020, arXiv:2006.08777"


def _evaluator(name: str, config: str, summary: str, source: str) -> Component:
    return Component(
        kind="evaluator",
        name=name,
        config=f"diffeo_nested_dropout.config_evaluators:{config}",
        implementation=f"diffeo_nested_dropout.evaluators.{name}:{config}Evaluator",
        summary=summary,
        source=f"{ORDERED_FLOWS}, {source}",
    )


COMPONENTS = [
    _evaluator(
        "reconstruction_curve",
        "ReconstructionCurve",
        "Squared error against the number of latents kept, beside PCA and other orders.",
        "figure 2",
    ),
    _evaluator(
        "progressive_samples",
        "ProgressiveSamples",
        "Samples and reconstructions of images from more and more latents.",
        "figures 4 and 5",
    ),
    _evaluator(
        "ordered_projection",
        "OrderedProjection",
        "Points beside their projections on the manifolds of the first latents.",
        "figure 1",
    ),
]
