"""What networks promise beyond the laws of maps."""

import torch

from diffeo.network import Network
from diffeo.testing.reporting import expect
from diffeo.testing.subject import Subject

__all__ = ["bfloat16", "starts_at_zero"]


def starts_at_zero(subject: Subject) -> None:
    """A new network returns zeros, so that what is built on it starts as the identity."""
    network: Network = subject.make().double().eval()
    inputs = subject.inputs(subject.view(network))
    largest = float(network(inputs.x, context=inputs.context).detach().abs().max())
    expect("starts at zero", largest == 0, f"expected a new network to return zeros; got {largest:g} at most")
    layer = [name for name, module in network.named_modules() if module is network.output_layer]
    expect("starts at zero", bool(layer), "expected output_layer to be a module of the network; got another one")


def bfloat16(subject: Subject) -> None:
    """With ``autocast_dtype`` set it computes in that dtype and returns the dtype of its input."""
    network: Network = subject.build(torch.float32)
    inputs = subject.inputs(subject.view(network), dtype=torch.float32)
    exact = network(inputs.x, context=inputs.context)
    network.autocast_dtype = torch.bfloat16
    out = network(inputs.x, context=inputs.context)
    expect("bfloat16", out.dtype == torch.float32, f"expected torch.float32, as the input; got {out.dtype}")
    expect("bfloat16", bool(out.isfinite().all()), "expected finite values; got others")
    rounded = not torch.equal(out, exact)
    expect("bfloat16", rounded, "expected compute to round; got the bits of float32: is its result computed elsewhere?")
