"""What a distribution of noise is conditioned on: x or features of it, and the context of the flow around it.

B any batch shape, C channels, H and W the sides of an image, F features.
"""

from typing import Any

import torch
from torch import Tensor, nn

import diffeo
from diffeo import BuildError, Capabilities

__all__ = ["ConditionedDraw", "joined_shape", "noise_capabilities"]

Shape = tuple[int, ...]


def joined_shape(shape: Shape, context_shape: Shape | None) -> Shape:
    """The shape of x and a context side by side along the first dimension; a vector stands at every pixel of an image.

    >>> joined_shape((3, 8, 8), (10,))
    (13, 8, 8)
    """
    if context_shape is None:
        return shape
    if len(context_shape) == 1 or context_shape[1:] == shape[1:]:
        return (shape[0] + context_shape[0], *shape[1:])
    rest = ", ".join(map(str, ("C", *shape[1:])))
    raise ValueError(
        f"expected a context of shape (F,) or ({rest}), to stand beside {shape}; got {context_shape}: turn it into features "
        "with the flow's context_network"
    )


def join(x: Tensor, shape: Shape, context: Tensor, context_shape: Shape) -> Tensor:
    """x of ``(*B, *shape)`` and a context of ``(*B, *context_shape)`` as ``(*B, *joined_shape)``."""
    if len(context_shape) < len(shape):
        pixels = context[(..., *(None for _ in shape[1:]))]
        context = pixels.expand(*pixels.shape[: pixels.dim() - len(shape)], context_shape[0], *shape[1:])
    return torch.cat([x, context], dim=-len(shape))


class ConditionedDraw(nn.Module):
    """Draws from a distribution given x and the outer context: ``(x, context) -> (draw, log-density of the draw)``.

    x goes through the encoder, where there is one, and the outer context is put beside what comes out. The distribution must be
    exact and of events of ``shape``; both are checked when it is built.
    """

    def __init__(
        self, distribution: Any, encoder: Any, shape: Shape, *, given: Shape, context_shape: Shape | None
    ) -> None:
        super().__init__()
        self.encoder: diffeo.Encoder | None = None if encoder is None else diffeo.make(encoder, given, at="encoder")
        self.given = given if self.encoder is None else self.encoder.out_shape
        self.outer = context_shape
        joined = joined_shape(self.given, context_shape)
        self.distribution: diffeo.Distribution = diffeo.make(distribution, shape, joined, at="distribution")
        _require_suitable(self.distribution, shape, has_encoder=encoder is not None)

    def forward(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        condition = x if self.encoder is None else self.encoder(x)
        if context is not None and self.outer is not None:
            condition = join(condition, self.given, context, self.outer)
        return self.distribution.sample_and_log_prob(context=condition)


def _require_suitable(distribution: diffeo.Distribution, shape: Shape, *, has_encoder: bool) -> None:
    if not distribution.is_exact:
        raise BuildError(
            "expected a distribution whose density is exact; got one that only bounds it", ("distribution",)
        )
    if distribution.event_shape != shape:
        raise BuildError(
            f"expected a distribution of events of shape {shape}; got one of {distribution.event_shape}",
            ("distribution",),
        )
    if has_encoder and distribution.capabilities.context == "none":
        raise BuildError(
            "expected a distribution that depends on its context, for the encoder to work for; got one that ignores it",
            ("distribution",),
        )


def noise_capabilities(draw: ConditionedDraw, prefix: str, domain: Any) -> Capabilities:
    """Those of a step that draws this noise: the outer context moves it as far as it moves the distribution."""
    able = draw.distribution.capabilities
    context = "none" if draw.outer is None or able.context == "none" else "some"
    idle = {f"{prefix}.distribution.{name}": reason for name, reason in able.idle.items()}
    return Capabilities(domain=domain, context=context, batch_statistics=able.batch_statistics, idle=idle)
