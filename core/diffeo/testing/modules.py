"""A component as a module: meta device, copies, state that survives a file."""

import copy
from collections.abc import Callable

import torch
from safetensors.torch import load, save

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Inputs, directions
from diffeo.testing.reporting import expect, expect_equal

__all__ = ["check_deepcopy", "check_devices", "check_meta", "check_state"]


def check_meta(make: Callable[[], Bijector], inputs: Inputs) -> None:
    """Built and called on the meta device, it gives shapes without computing."""
    with torch.device("meta"):
        bijector = make()
    for name, tensor in [*bijector.named_parameters(), *bijector.named_buffers()]:
        expect("meta", tensor.device.type == "meta", f"{name} is on {tensor.device} where the default device is meta")
    abstract = inputs.to(device="meta", dtype=torch.get_default_dtype())
    for way in directions(bijector, abstract):
        out, log_det = way.call(way.source, context=abstract.context)
        want = (way.source.shape[0], *way.target_shape)
        law = f"meta ({way.name})"
        expect(law, out.shape == want, f"expected shape {want}; got {tuple(out.shape)}")
        expect(law, log_det.shape == want[:1], f"expected a log-det of shape {want[:1]}; got {tuple(log_det.shape)}")
        expect(law, out.device.type == log_det.device.type == "meta", f"expected meta tensors; got {out.device}")


def check_devices(bijector: Bijector, inputs: Inputs) -> None:
    """After ``.to(device)`` it computes there: on an accelerator where there is one, on the meta device otherwise.

    A tensor that is neither a parameter nor a buffer stays behind, and shows up on either. What reads values of tensors
    cannot run on the meta device, and is let through there.
    """
    device = "cuda" if torch.cuda.is_available() else "meta"
    moved, there = copy.deepcopy(bijector).to(device), inputs.to(device=device)
    for way in directions(moved, there):
        try:
            out, log_det = way.call(way.source, context=there.context)
        except (RuntimeError, NotImplementedError) as error:
            if "meta tensor" in str(error):
                continue
            raise
        law = f"devices ({way.name})"
        expect(law, out.device.type == device, f"expected values on {device}; got {out.device}")
        expect(law, log_det.device.type == device, f"expected log-dets on {device}; got {log_det.device}")


def check_deepcopy(bijector: Bijector, inputs: Inputs) -> None:
    """A deep copy gives the same bits and shares no parameter."""
    want, want_log_det = bijector(inputs.x, context=inputs.context)
    copied = copy.deepcopy(bijector)
    out, log_det = copied(inputs.x, context=inputs.context)
    expect_equal("deepcopy", out, want, at=inputs.x)
    expect_equal("deepcopy, log-det", log_det, want_log_det, at=inputs.x)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(1.0)
    again, _ = bijector(inputs.x, context=inputs.context)
    expect_equal("deepcopy, original after changing the copy", again, want, at=inputs.x)


def check_state(bijector: Bijector, make: Callable[[], Bijector], inputs: Inputs) -> None:
    """Through safetensors into a freshly made one (other random numbers): the same bits both ways."""
    state = {name: value.contiguous() for name, value in bijector.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4321)
        fresh = make().to(inputs.x.dtype).train(bijector.training)
    names = sorted(state), sorted(fresh.state_dict())
    expect("state", names[0] == names[1], f"expected the same names in every instance; got {names[0]} and {names[1]}")
    fresh.load_state_dict(load(save(state)), strict=True)
    for way, other in zip(directions(bijector, inputs), directions(fresh, inputs), strict=True):
        want, want_log_det = way.call(way.source, context=inputs.context)
        out, log_det = other.call(way.source, context=inputs.context)
        expect_equal(f"state ({way.name})", out, want, at=way.source)
        expect_equal(f"state ({way.name}), log-det", log_det, want_log_det, at=way.source)
