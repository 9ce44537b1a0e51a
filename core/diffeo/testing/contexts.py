"""A context must matter where it is said to matter."""

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Inputs, directions
from diffeo.testing.reporting import expect

__all__ = ["check_context"]


def check_context(bijector: Bijector, inputs: Inputs, *, outputs: str = "all") -> None:
    """Another context changes every output entry, both ways.

    ``outputs`` is ``"all"``; ``"some"`` for a coupling, which passes a part through; or ``"none"``, where the context
    is ignored and every bit must stay.
    """
    if inputs.context is None:
        raise ValueError("expected inputs with a context; got none")
    other = inputs.context.flip(0) + 0.5
    for way in directions(bijector, inputs):
        law = f"context ({way.name})"
        out, _ = way.call(way.source, context=inputs.context)
        moved = (way.call(way.source, context=other)[0] != out).any(0)
        count, size = int(moved.sum()), moved.numel()
        holds = {"all": count == size, "some": 0 < count <= size, "none": count == 0}[outputs]
        still = (~moved).nonzero().tolist()[:8]
        hint = "" if outputs != "none" else " (declare it: capabilities = Capabilities(context='all'), or 'some')"
        expect(
            law, holds, f"expected {outputs} of {size} outputs to depend on it; {count} do, not those at {still}{hint}"
        )
