"""The laws of a bijector: what goes out comes back, and the log-det is that of the Jacobian."""

import torch
from torch import Tensor

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Direction, Inputs, directions
from diffeo.testing.reporting import expect, expect_close, expect_finite

__all__ = ["check_log_det", "check_round_trip", "jacobian"]


def check_round_trip(bijector: Bijector, inputs: Inputs, *, atol: float = 1e-9, rtol: float = 1e-9) -> None:
    """There and back from either side gives the input, and the two log-dets cancel; shapes are those promised."""
    for way in directions(bijector, inputs):
        law, context = f"round trip ({way.name} first)", inputs.context
        out, log_det = way.call(way.source, context=context)
        back, log_det_back = way.back(out.detach().clone(), context=context)
        rows = way.source.shape[0]
        expect(
            law, out.shape == (rows, *way.target_shape), f"expected event {way.target_shape}; got {tuple(out.shape)}"
        )
        expect(law, log_det.shape == (rows,), f"expected a log-det of shape ({rows},); got {tuple(log_det.shape)}")
        expect_finite(law, out, at=way.source)
        expect_close(law, back, way.source, atol=atol, rtol=rtol, at=way.source)
        expect_close(
            f"{law}, sum of log-dets", log_det + log_det_back, torch.zeros_like(log_det), atol=atol, at=way.source
        )


def check_log_det(
    bijector: Bijector, inputs: Inputs, *, preserves_volume: bool = False, rows: int = 3, atol: float = 1e-8
) -> None:
    """The log-det equals log|det| of the Jacobian by autograd, row by row, both ways.

    A bijector that is not said to preserve volume must show log-dets that differ from 0, so that the law says
    something.
    """
    for way in directions(bijector, inputs):
        law = f"log-det ({way.name})"
        source = way.source[:rows]
        context = None if inputs.context is None else inputs.context[:rows]
        _, log_det = way.call(source, context=context)
        jacobians = torch.stack([jacobian(way, inputs, row) for row in range(len(source))])
        expect_close(law, log_det, torch.linalg.slogdet(jacobians).logabsdet, atol=atol, at=source)
        largest = float(log_det.detach().abs().max())
        if preserves_volume:
            expect(
                law, largest == 0, f"expected a log-det of exactly 0 from a map that preserves volume; got {largest:g}"
            )
        else:
            expect(
                law, largest > 1e-3, f"expected a log-det other than 0, or the check is empty; got {largest:g} at most"
            )


def jacobian(way: Direction, inputs: Inputs, row: int) -> Tensor:
    """d output / d input for one row, as a square matrix, by one backward pass per output (no vmap)."""
    context = None if inputs.context is None else inputs.context[row : row + 1]

    def output(flat: Tensor) -> Tensor:
        return way.call(flat.reshape(1, *way.source_shape), context=context)[0].flatten()

    matrix: Tensor = torch.autograd.functional.jacobian(output, way.source[row].flatten())  # type: ignore[assignment]
    return matrix
