"""A call has no side effects and no moods: inputs and state stay as they are, the same input gives the same output."""

import torch
from torch import Tensor

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Inputs, directions
from diffeo.testing.reporting import expect_equal

__all__ = ["check_inputs_unchanged", "check_repeatable"]


def check_inputs_unchanged(bijector: Bijector, inputs: Inputs) -> None:
    """A call changes neither its input nor the context nor, in eval mode, anything the module holds."""
    for way in directions(bijector, inputs):
        law = f"inputs unchanged ({way.name})"
        source = way.source.clone()
        context = None if inputs.context is None else inputs.context.clone()
        before = _tensors(bijector)
        way.call(source, context=context)
        expect_equal(f"{law}, the input after the call", source, way.source, at=way.source)
        if context is not None and inputs.context is not None:
            expect_equal(f"{law}, the context after the call", context, inputs.context)
        for name, value in _tensors(bijector).items():
            expect_equal(f"{law}, {name} after the call", value, before[name])


def check_repeatable(bijector: Bijector, inputs: Inputs) -> None:
    """The same input gives the same bits twice, whatever random numbers were drawn between; ``eval`` twice is ``eval`` once."""
    for way in directions(bijector, inputs):
        law = f"repeatable ({way.name})"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            first, first_log_det = way.call(way.source, context=inputs.context)
            torch.manual_seed(2)
            bijector.eval()
            second, second_log_det = way.call(way.source, context=inputs.context)
        expect_equal(f"{law}, second call", second, first, at=way.source)
        expect_equal(f"{law}, log-det of the second call", second_log_det, first_log_det, at=way.source)


def _tensors(bijector: Bijector) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in [*bijector.named_parameters(), *bijector.named_buffers()]}
