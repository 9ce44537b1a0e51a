"""Recipes on the plane: complete specs under ``recipes/``. Their parts come with diffeo-bijectors and diffeo-data."""

from diffeo_registry import Recipe

__all__ = ["RECIPES"]

SOURCE = "Chen et al. 2020, arXiv:2002.09741, figures 2 to 4"

RECIPES = [
    Recipe(
        name="vflow/checkerboard-glow",
        file="diffeo_vflow:recipes/vflow/checkerboard-glow.yaml",
        summary="A Glow of three steps on the checkerboard; the plain flow beside checkerboard-vflow.",
        source=SOURCE,
    ),
    Recipe(
        name="vflow/checkerboard-vflow",
        file="diffeo_vflow:recipes/vflow/checkerboard-vflow.yaml",
        summary="The checkerboard in ten dimensions, eight of them drawn from a conditional Glow.",
        source=SOURCE,
    ),
]
