"""Recipes of this package: complete specs under ``recipes/``. Their data come with diffeo-data."""

from diffeo_registry import Recipe

RECIPES = [
    Recipe(
        name="image-flow/demo",
        file="diffeo_bijectors:recipes/image-flow/demo.yaml",
        summary="Class-conditional clothes of 14 x 14 pixels in two minutes of training.",
    ),
    Recipe(
        name="image-flow/fashion-mnist",
        file="diffeo_bijectors:recipes/image-flow/fashion-mnist.yaml",
        summary="Multi-scale flow over the full Fashion-MNIST at 32 x 32; hours on two cores.",
        source="Kingma & Dhariwal 2018, arXiv:1807.03039; Durkan et al. 2019, arXiv:1906.04032",
    ),
    Recipe(
        name="plane/checkerboard",
        file="diffeo_bijectors:recipes/plane/checkerboard.yaml",
        summary="Spline couplings on the checkerboard, whose exact density is drawn beside the learned one.",
    ),
]
