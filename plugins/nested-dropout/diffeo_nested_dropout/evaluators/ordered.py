"""What the evaluators of ordered latents share: latents of a flow, and what the first of them are decoded to.

B batch, L latents of the flow, k of them kept.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

import diffeo
from diffeo.dataset import Dataset
from diffeo.evaluators.examples import require_dataset, require_split
from diffeo_nested_dropout.nested_dropout import require_cheap_inverse
from diffeo_nested_dropout.truncation import keep_first

__all__ = ["check_flow", "decode_first", "flat_latents", "num_latents", "numbers_kept"]


def check_flow(who: str, model: Any, data: Any, split: str) -> Dataset:
    """The data set, if it has examples in a split and the model is a flow that decodes cheaply."""
    data = require_dataset(data, who)
    require_split(data, split)
    if not isinstance(model, diffeo.FlowModel):
        raise ValueError(f"expected a flow, whose latents have an order, for {who!r}; got {type(model).__name__}")
    require_cheap_inverse(model, who)
    return data


def num_latents(model: Any) -> int:
    """L."""
    return math.prod(model.latent_shape)


def numbers_kept(keep: Sequence[int] | None, default: Sequence[int], model: Any) -> list[int]:
    """The numbers of latents to keep, rising; an error names the first one that is more than there are."""
    most = num_latents(model)
    chosen = sorted(set(default) if keep is None else keep)
    if chosen[-1] > most:
        raise ValueError(f"keep: expected at most {most}, as many latents as the flow has; got {chosen[-1]}")
    return chosen


def flat_latents(model: Any, z: Tensor) -> Float[Tensor, "*B L"]:
    """Latents in a row, in the flow's own order."""
    return z.flatten(-len(model.latent_shape))


def decode_first(
    model: Any, z: Float[Tensor, "B L"], kept: int, ranks: Int[Tensor, " L"], context: Tensor | None
) -> Tensor:
    """The continuous points, ``(B, *event_shape)``, of the latents of rank below ``kept``, all others 0."""
    first = keep_first(z, torch.tensor(kept, device=z.device), ranks.to(z.device))
    return cast(Tensor, model.decode(first.unflatten(-1, model.latent_shape), context=context))
