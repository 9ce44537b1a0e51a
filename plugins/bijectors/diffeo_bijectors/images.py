"""What networks for images ask about shapes."""

import math

from torch import Tensor

from diffeo_bijectors.events import Shape

__all__ = ["check_images", "fold"]


def fold(x: Tensor, leading: int) -> Tensor:
    """All leading dimensions as one; its size is spelled out, for -1 fails on an empty batch."""
    return x.reshape(math.prod(x.shape[:leading]), *x.shape[leading:])


def check_images(in_shape: Shape, out_shape: Shape, context_shape: Shape | None) -> None:
    """Raise unless the shapes are images of one height and width, and the context a vector or such an image."""
    if len(in_shape) != 3 or len(out_shape) != 3 or in_shape[1:] != out_shape[1:]:
        raise ValueError(
            "expected images of shape (C, H, W) in and out, of the same height and width; "
            f"got {tuple(in_shape)} and {tuple(out_shape)} (mlp takes any shape)"
        )
    if context_shape is None or len(context_shape) == 1:
        return
    if len(context_shape) != 3 or context_shape[1:] != in_shape[1:]:
        raise ValueError(
            f"expected a context of shape (F,) or (C, {in_shape[1]}, {in_shape[2]}), the size of the input; "
            f"got {tuple(context_shape)} (an encoder, in the slot next to this one or as context_network, can make one of it)"
        )
