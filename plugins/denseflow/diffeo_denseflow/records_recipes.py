"""Recipes: complete specs under ``recipes/``. Their data come with diffeo-data."""

from diffeo_registry import Recipe

__all__ = ["RECIPES"]

DENSEFLOW = "Grcic et al. 2021, arXiv:2106.04627"


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
