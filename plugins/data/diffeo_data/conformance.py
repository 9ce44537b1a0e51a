"""The cases that every data set of this package is tested with. No torch here.

What reads files gets small ones, written by the functions of ``conformance_files`` when a check runs.
"""

from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]


def _toy(name: str) -> Case:
    return Case(spec={name: {"num_val": 50, "num_test": 70}})


def _files(name: str, function: str) -> Case:
    return Case(spec=name, files=f"diffeo_data.conformance_files:{function}")


SMALL: dict[str, Any] = {"pool": 2, "flip": 0.5, "shift": 1, "context": "label"}

CASES = [
    *map(_toy, ("checkerboard", "two_moons", "eight_gaussians", "rings", "pinwheel", "two_spirals")),
    Case(spec={"fashion_mnist_small": SMALL}),
    _files("fashion_mnist", "fashion_mnist"),
    _files("cifar10", "cifar10"),
    _files("imagenet32", "imagenet32"),
    _files("csv", "csv"),
    _files("npy", "npy"),
    _files("npy", "npy_images"),
    _files("image_folder", "image_folder"),
    _files("image_folder", "image_folder_on_demand"),
]
