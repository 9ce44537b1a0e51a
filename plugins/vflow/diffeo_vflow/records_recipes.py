"""Recipes: complete specs under ``recipes/``. Their data come with diffeo-data."""

from diffeo_registry import Recipe

__all__ = ["RECIPES"]

VFLOW = "Chen et al. 2020, arXiv:2002.09741"


def _recipe(name: str, summary: str, where: str = "") -> Recipe:
    return Recipe(
        name=f"vflow/{name}",
        file=f"diffeo_vflow:recipes/vflow/{name}.yaml",
        summary=summary,
        source=f"{VFLOW}, {where}" if where else VFLOW,
    )


RECIPES = [
    _recipe(
        "checkerboard-glow",
        "A Glow of three steps on the checkerboard; the plain flow beside checkerboard-vflow.",
        "figures 2 to 4",
    ),
    _recipe(
        "checkerboard-vflow",
        "The checkerboard in ten dimensions, eight of them drawn from a conditional Glow.",
        "figures 2 to 4",
    ),
    _recipe("cifar10", "VFlow on CIFAR-10, 6 channels, 96 filters: the best one published.", "Table 3"),
    _recipe("table3-64", "VFlow on CIFAR-10, 6 channels, 64 filters.", "Table 3"),
    _recipe("table3-56", "VFlow on CIFAR-10, 6 channels, 56 filters: as good as Flow++, 2.5 times smaller.", "Table 3"),
    _recipe("table3-flowpp", "Flow++ on CIFAR-10, 96 filters.", "Table 3"),
    _recipe("table2-flowpp", "A small Flow++ on CIFAR-10, 3 channels.", "Table 2"),
    _recipe("table2-4ch", "A small VFlow on CIFAR-10, 4 channels.", "Table 2"),
    _recipe("table2-6ch", "A small VFlow on CIFAR-10, 6 channels.", "Table 2"),
    _recipe("table6-q3", "A small VFlow on CIFAR-10, 10 blocks in p and 3 in q.", "Table 6"),
    _recipe("table6-q6", "A small VFlow on CIFAR-10, 9 blocks in p and 6 in q.", "Table 6"),
    _recipe("table6-q8", "A small VFlow on CIFAR-10, 8 blocks in p and 8 in q.", "Table 6"),
    _recipe("imagenet32", "VFlow on ImageNet at 32 x 32, with the settings of the paper's code; for many GPUs."),
    _recipe("fashion-mnist-small", "VFlow on clothes of 16 x 16 pixels; minutes on two cores."),
]
