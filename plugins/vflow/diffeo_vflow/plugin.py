"""The manifest."""

from diffeo_registry import Component, Recipe, hookimpl
from diffeo_vflow.records_augment import COMPONENTS as AUGMENT
from diffeo_vflow.records_flowpp import COMPONENTS as FLOWPP
from diffeo_vflow.records_recipes import RECIPES


def _evaluator(name: str, config: str, summary: str, source: str) -> Component:
    return Component(
        kind="evaluator",
        name=name,
        config=f"diffeo_vflow.config_evaluators:{config}",
        implementation=f"diffeo_vflow.evaluators.{name}:{config}Evaluator",
        summary=summary,
        source=source,
    )


EVALUATORS = [
    _evaluator(
        "mode_transport",
        "ModeTransport",
        "Where a flow of the plane takes the squares of the data, before and behind added dimensions.",
        "Chen et al. 2020, arXiv:2002.09741, figure 3",
    ),
    _evaluator(
        "clipped_share",
        "ClippedShare",
        "The share of values that sampling clips, for couplings whose image is bounded.",
        "Chen et al. 2020, arXiv:2002.09741",
    ),
]


@hookimpl
def diffeo_components() -> list[Component | Recipe]:
    return [*FLOWPP, *AUGMENT, *EVALUATORS, *RECIPES]
