"""Recipes of this package: complete specs under ``recipes/``. Their parts come with diffeo-bijectors and diffeo-data."""

from diffeo_registry import Recipe

__all__ = ["RECIPES"]

SOURCE = "Bekasov & Murray 2020, arXiv:2006.08777"


def _table_1(name: str, summary: str) -> Recipe:
    return Recipe(
        name=f"nested-dropout/{name}",
        file=f"diffeo_nested_dropout:recipes/nested-dropout/{name}.yaml",
        summary=summary,
        source=f"{SOURCE}, Table 1",
    )


RECIPES = [
    _table_1("gaussian-qr", "A linear flow in QR form finds the principal axes of a normal density: QR*."),
    _table_1("gaussian-qr-baseline", "The same flow, trained for likelihood alone: QR."),
    _table_1("gaussian-lu", "A linear flow in LU form, which cannot always reach the principal axes: LU*."),
    _table_1("gaussian-lu-baseline", "The same flow, trained for likelihood alone: LU."),
    Recipe(
        name="nested-dropout/fashion-mnist",
        file="diffeo_nested_dropout:recipes/nested-dropout/fashion-mnist.yaml",
        summary="Ordered latents of Fashion-MNIST at 32 x 32 with the published settings; for a GPU.",
        source=SOURCE,
    ),
    Recipe(
        name="nested-dropout/fashion-mnist-small",
        file="diffeo_nested_dropout:recipes/nested-dropout/fashion-mnist-small.yaml",
        summary="Ordered latents of clothes of 16 x 16 pixels; minutes on two cores.",
        source=SOURCE,
    ),
]
