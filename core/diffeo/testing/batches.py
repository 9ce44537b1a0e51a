"""Batch shapes: any number of leading dimensions, none, empty ones; and rows that do not see each other."""

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Inputs, directions
from diffeo.testing.reporting import expect, expect_close

__all__ = ["check_batch_independence", "check_batch_shapes"]

BATCHES = ((), (1,), (2, 3), (3, 1, 2))
EMPTY = ((0,), (2, 0))


def check_batch_shapes(bijector: Bijector, inputs: Inputs, *, atol: float = 1e-10) -> None:
    """Any leading batch shape, the empty ones included, gives the numbers of the flat batch in that shape."""
    for flat in directions(bijector, inputs):
        want, want_log_det = flat.call(flat.source, context=inputs.context)
        for batch in (*BATCHES, *EMPTY):
            shaped = inputs.reshaped(batch)
            law = f"batch shape {batch} ({flat.name})"
            out, log_det = flat.call(shaped.x if flat.name == "forward" else shaped.y, context=shaped.context)
            event = (*batch, *flat.target_shape)
            expect(law, out.shape == event, f"expected shape {event}; got {tuple(out.shape)}")
            expect(law, log_det.shape == batch, f"expected a log-det of shape {batch}; got {tuple(log_det.shape)}")
            count = log_det.numel()
            expect_close(
                law, out.reshape(count, *flat.target_shape), want[:count], atol=atol, rtol=atol, at=flat.source
            )
            expect_close(law, log_det.reshape(count), want_log_det[:count], atol=atol, rtol=atol, at=flat.source)


def check_batch_independence(bijector: Bijector, inputs: Inputs, *, atol: float = 1e-10) -> None:
    """A row gives the same result alone, and whatever stands in the other rows."""
    for way in directions(bijector, inputs):
        law, context = f"batch independence ({way.name})", inputs.context
        whole, whole_log_det = way.call(way.source, context=context)
        for row in range(2):
            one = slice(row, row + 1)
            alone, log_det = way.call(way.source[one], context=None if context is None else context[one])
            expect_close(f"{law}, row alone", alone, whole[one], atol=atol, rtol=atol, at=way.source[one])
            expect_close(f"{law}, row alone", log_det, whole_log_det[one], atol=atol, rtol=atol, at=way.source[one])
        others = way.source.flip(0).clone()
        others[0] = way.source[0]
        turned = None if context is None else context.flip(0).clone()
        if turned is not None and context is not None:
            turned[0] = context[0]
        out, log_det = way.call(others, context=turned)
        expect_close(f"{law}, other rows changed", out[:1], whole[:1], atol=atol, rtol=atol, at=way.source)
        expect_close(f"{law}, other rows changed", log_det[:1], whole_log_det[:1], atol=atol, rtol=atol, at=way.source)
