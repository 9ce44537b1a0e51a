"""The manifest: what diffeo-data brings."""

from diffeo_registry import Component, Kind, Recipe, hookimpl

FASHION_MNIST = "Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747"
FFJORD = "Grathwohl et al. 2019, arXiv:1810.01367"


def _dataset(name: str, module: str, config: str, summary: str, source: str = "") -> Component:
    return Component(
        kind="dataset",
        name=name,
        config=f"diffeo_data.config:{config}",
        implementation=f"diffeo_data.{module}:{config}Dataset",
        summary=summary,
        source=source,
        cases="diffeo_data.conformance:CASES",
    )


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    return [
        _dataset(
            "fashion_mnist",
            "fashion_mnist",
            "FashionMnist",
            "60,000 + 10,000 images of clothes in ten classes, from files on disk",
            FASHION_MNIST,
        ),
        _dataset(
            "fashion_mnist_small",
            "fashion_mnist_small",
            "FashionMnistSmall",
            "5,000 + 1,000 images of Fashion-MNIST that come with the package",
            FASHION_MNIST,
        ),
        _dataset(
            "cifar10",
            "cifar10",
            "Cifar10",
            "50,000 + 10,000 colour images of ten kinds of things, from files on disk",
            "Krizhevsky 2009, Learning multiple layers of features from tiny images",
        ),
        _dataset(
            "imagenet32",
            "imagenet32",
            "ImageNet32",
            "ImageNet at 32 x 32, from files on disk",
            "Chrabaszcz et al. 2017, arXiv:1707.08819",
        ),
        _dataset("checkerboard", "toys", "Checkerboard", "8 squares of the plane, with the exact log-density", FFJORD),
        _dataset("two_moons", "toys", "TwoMoons", "Two interleaved half circles in the plane", FFJORD),
        _dataset(
            "eight_gaussians", "toys", "EightGaussians", "8 Gaussians in the plane, with the exact log-density", FFJORD
        ),
        _dataset("rings", "toys", "Rings", "4 circles in the plane, with the exact log-density", FFJORD),
        _dataset("pinwheel", "toys", "Pinwheel", "5 curved arms in the plane", "Johnson et al. 2016, arXiv:1603.06277"),
        _dataset("two_spirals", "toys", "TwoSpirals", "Two interleaved spirals in the plane", FFJORD),
        _dataset("csv", "csv_file", "Csv", "A text file of numbers, one example a line"),
        _dataset("npy", "npy_file", "Npy", "An array of examples in a .npy or .npz file"),
        _dataset("image_folder", "image_folder", "ImageFolder", "Image files below a folder, with classes or without"),
    ]
