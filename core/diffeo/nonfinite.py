"""What to say of a step whose loss or gradient is not finite: which examples, and which part of the flow."""

from typing import Any

import torch
from torch import Tensor, nn

from diffeo.feed import Feed
from diffeo.gradients import Gradients
from diffeo.objective import Loss, Progress
from diffeo.step_trace import Trace, first_not_finite, traced
from diffeo.training_step import TrainingStep

__all__ = ["blame_gradients", "blame_parts"]

SHOWN = 8
"""Examples that are listed; the others are counted."""


@torch.no_grad()
def blame_parts(
    module: TrainingStep, gradients: Gradients, feed: Feed, fetch: Any, step: int, progress: Progress
) -> str:
    """Run the step's passes once more, with the same noise and no gradients, until one shows where it goes wrong.

    Returns "" where every loss is finite. The module is called eagerly, past its compiled form.
    """
    for part, positions in enumerate(feed.parts):
        gradients.seed(step, part)
        with traced(module.model) as trace:
            loss: Loss = module.forward(fetch(step, part), progress)
        if not bool(torch.isfinite(loss.value)):
            size = positions.stop - positions.start
            return _words(trace, feed.indices(step, positions) if feed.has_examples else None, size)
    return ""


def blame_gradients(module: nn.Module) -> str:
    """The first parameters whose gradient is not finite, by name."""
    names = [n for n, p in module.named_parameters() if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    more = f" and {len(names) - 3} others" if len(names) > 3 else ""
    return f"the gradient of {', '.join(names[:3])}{more} is not finite" if names else ""


def _words(trace: Trace, indices: Tensor | None, size: int) -> str:
    found = first_not_finite(trace)
    if found is None:
        return "every step of the flow is finite, the objective is not"
    name, rows = found
    if indices is None:
        return f"the log-weight or the output of {name} is the first that is not finite, in {len(rows)} draws"
    examples = sorted({int(indices[row % size]) for row in rows.tolist()})
    shown = ", ".join(map(str, examples[:SHOWN])) + (
        f" and {len(examples) - SHOWN} more" if len(examples) > SHOWN else ""
    )
    return f"the log-weight or the output of {name} is the first that is not finite, for training examples {shown}"
