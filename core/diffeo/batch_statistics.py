"""Layers that normalise with statistics of the batch, and how the way back through a flow uses those of the way there."""

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn

__all__ = ["BatchStatistics", "recorded_statistics", "replayed_statistics"]


class BatchStatistics(nn.Module):
    """Mix-in for layers that normalise with the statistics of the batch while training, such as batch normalisation.

    In a flow such a layer sees another batch on the way back than on the way there, unless nothing happened in between, and
    then the way back is not the inverse. A layer that finds ``self.recording`` true keeps, in ``self.recorded``, the
    statistics that it used at that call, with their graph; one that finds ``self.replaying`` true uses what it kept and
    changes nothing. Only in training mode: in eval mode no statistics are of the batch.
    """

    recording: bool = False
    replaying: bool = False
    recorded: tuple[Tensor, ...] = ()


@contextmanager
def recorded_statistics(model: nn.Module) -> Generator[None]:
    """Keep the statistics of the calls in this block, for ``replayed_statistics`` inside of it; they are forgotten at its end."""
    layers = _layers(model)
    for layer in layers:
        layer.recording = True
    try:
        yield
    finally:
        for layer in layers:
            layer.recording = False
            layer.recorded = ()


@contextmanager
def replayed_statistics(model: nn.Module) -> Generator[None]:
    """Normalise in this block with the statistics kept so far: what was a bijector's forward then has its exact inverse here.

    Plain batch normalisation of torch, which cannot do that, normalises with its running statistics instead.
    """
    layers, plain = _layers(model), _plain_layers(model)
    for layer in layers:
        layer.recording, layer.replaying = False, True
    for layer in plain:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.replaying = False
        for layer in plain:
            layer.train()


def _layers(model: nn.Module) -> list[BatchStatistics]:
    return [layer for layer in model.modules() if isinstance(layer, BatchStatistics)]


def _plain_layers(model: nn.Module) -> list[nn.Module]:
    """Batch normalisation as torch has it, in training mode."""
    return [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
        and not isinstance(layer, BatchStatistics)
        and layer.training
    ]
