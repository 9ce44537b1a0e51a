"""One encoder in several places of a model."""

from typing import NamedTuple

from torch import Tensor

from diffeo.building import make, parts_by_name
from diffeo.config import Shared
from diffeo.network import Encoder
from diffeo_registry import BuildError
from diffeo_registry.wording import did_you_mean

__all__ = ["SharedEncoder"]

Shape = tuple[int, ...]


class First(NamedTuple):
    """What the place that is built first leaves to those after it."""

    config: Shared
    encoder: Encoder


class SharedEncoder(Encoder):
    """The encoder of this name in the model: built by the first place that has it, with the same weights in all others.

    Each place runs it on an input of its own; all inputs have one shape. A gradient is the sum over the places. The weights
    belong to the place that is built first, as a submodule, so that they stand once in a checkpoint, in an optimizer and in a count
    of parameters; a later place refers to them, and a deep copy of that place alone has a copy of them.

        dequantization: {variational: {encoder: {shared: {name: features, encoder: conv_encoder}}}}
        steps:
          - vflow: {encoder: {shared: {name: features}}}

    Shapes: those of the encoder.
    """

    def __init__(self, config: Shared, shape: Shape) -> None:
        parts = parts_by_name()
        key = ("encoder", config.name)
        first: First | None = parts.get(key)
        encoder = _build(config, shape) if first is None else first.encoder
        super().__init__(shape, encoder.out_shape)
        self.capabilities = encoder.capabilities
        if first is None:
            parts[key] = First(config, encoder)
            self.encoder = encoder
        else:
            _require_the_same(config, shape, first)
        self._encoder = (encoder,)  # a tuple: modules in it are not registered again

    def forward(self, context: Tensor) -> Tensor:
        return self._encoder[0](context)


def _build(config: Shared, shape: Shape) -> Encoder:
    if config.encoder is None:
        there = [name for kind, name in parts_by_name() if kind == "encoder"]
        raise BuildError(
            f"expected an encoder where the model has none of the name {config.name!r} yet; got none"
            f"{did_you_mean(config.name, there) or ': write it here'}",
            ("encoder",),
        )
    return make(config.encoder, shape, at="encoder")


def _require_the_same(config: Shared, shape: Shape, first: First) -> None:
    if config.encoder is not None and config.encoder != first.config.encoder:
        raise BuildError(
            f"expected the encoder that {config.name!r} is where it is built first, {first.config.encoder}, or none; "
            f"got {config.encoder}: give one of them another name",
            ("encoder",),
        )
    if tuple(shape) != first.encoder.in_shape:
        raise BuildError(
            f"expected an input of shape {first.encoder.in_shape}, as where {config.name!r} is built first; got {tuple(shape)}",
            ("name",),
        )
