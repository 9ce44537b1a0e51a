"""Data-dependent initialisation: layers that set their parameters from the first batch a trainer shows them."""

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn

__all__ = ["DataInitialized", "armed"]


class DataInitialized(nn.Module):
    """Mix-in for layers whose first parameters come from data (actnorm, weight-normalised convolutions).

    Before step 0 the trainer arms every such layer and runs one training step without gradients. A layer that finds
    ``self.initializing`` true at a call, in whichever direction, sets its parameters in place from the input of that call
    and sets ``self.initializing = False``. Nothing happens on load or in a user's first forward: the flag is False by
    default and is not part of the state.
    """

    initializing: bool = False


@contextmanager
def armed(module: nn.Module) -> Generator[None]:
    """Arm every ``DataInitialized`` layer of ``module`` for the calls made in the block; what was not reached is disarmed."""
    layers = [layer for layer in module.modules() if isinstance(layer, DataInitialized)]
    for layer in layers:
        layer.initializing = True
    try:
        yield
    finally:
        for layer in layers:
            layer.initializing = False
