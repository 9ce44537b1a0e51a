"""How a law that doesn't hold says so: the law, the worst place, the numbers, the tolerance, the input."""

import torch
from torch import Tensor

__all__ = ["expect", "expect_close", "expect_equal", "expect_finite"]

_SHOWN = 16
"""Entries of an input that are shown: all of a vector, the beginning of an image."""


def expect(law: str, holds: bool, message: str) -> None:
    """Raise an AssertionError that names the law unless it holds."""
    if not holds:
        raise AssertionError(f"{law}: {message}")


def expect_finite(law: str, values: Tensor, at: Tensor | None = None) -> None:
    """Every entry is finite."""
    bad = ~values.detach().isfinite()
    if bool(bad.any()):
        index = tuple(int(i) for i in bad.nonzero()[0])
        raise AssertionError(f"{law}: expected finite values; got {_number(values, index)} at {index}{_row(at, index)}")


def expect_close(
    law: str, actual: Tensor, expected: Tensor, *, atol: float, rtol: float = 0.0, at: Tensor | None = None
) -> None:
    """``|actual - expected| <= atol + rtol |expected|`` everywhere, in equal shapes; ``at`` holds the inputs by row."""
    _expect_shape(law, actual, expected)
    wanted = expected.detach().to(torch.float64)
    error = (actual.detach().to(torch.float64) - wanted).abs()
    tolerance = atol + rtol * wanted.abs()
    excess = torch.where(error.isnan(), torch.inf, error - tolerance)
    if excess.numel() and float(excess.max()) > 0:
        index = tuple(int(i) for i in torch.unravel_index(excess.argmax(), excess.shape))
        raise AssertionError(
            f"{law}: expected {_number(expected, index)}; got {_number(actual, index)} at {index}, off by "
            f"{_number(error, index)} with a tolerance of {_number(tolerance, index)}{_row(at, index)}"
        )


def expect_equal(law: str, actual: Tensor, expected: Tensor, *, at: Tensor | None = None) -> None:
    """Equal to the last bit, in equal shapes."""
    expect_close(law, actual, expected, atol=0.0, at=at)


def _expect_shape(law: str, actual: Tensor, expected: Tensor) -> None:
    shapes = tuple(actual.shape), tuple(expected.shape)
    expect(law, shapes[0] == shapes[1], f"expected shape {shapes[1]}; got {shapes[0]}")


def _number(values: Tensor, index: tuple[int, ...]) -> str:
    return (
        f"{float(values.detach()[index]):.17g}"
        if values.dtype == torch.float64
        else f"{float(values.detach()[index]):.9g}"
    )


def _row(at: Tensor | None, index: tuple[int, ...]) -> str:
    """The input of the row that ``index`` starts with, or the first of its entries."""
    if at is None or not index or index[0] >= len(at):
        return ""
    row = at[index[0]].detach().flatten()
    more = f", the first {_SHOWN} of {len(row)} entries" if len(row) > _SHOWN else ""
    return f"; the input there is {row[:_SHOWN].tolist()}{more}"
