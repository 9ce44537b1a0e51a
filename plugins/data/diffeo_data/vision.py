"""What this package takes from torchvision, imported behind the guard. Takes seconds: import it where it is used."""

# pyright: reportMissingTypeStubs=false

from diffeo_data.torchvision_guard import guard_torchvision

guard_torchvision()

from torchvision.datasets import FashionMNIST  # noqa: E402
from torchvision.datasets.folder import IMG_EXTENSIONS, default_loader  # noqa: E402
from torchvision.datasets.mnist import read_image_file, read_label_file  # noqa: E402
from torchvision.datasets.utils import download_and_extract_archive  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

__all__ = [
    "IMG_EXTENSIONS",
    "FashionMNIST",
    "default_loader",
    "download_and_extract_archive",
    "read_image_file",
    "read_label_file",
    "v2",
]
