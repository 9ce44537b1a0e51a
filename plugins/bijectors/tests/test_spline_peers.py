"""The spline against two other libraries, in float64, both ways, with their log-derivatives.

Conventions. Ours: params ``(3 K - 1, *S)``, raw widths, heights, inner derivatives; sizes ``m + (1 - K m) softmax``,
derivatives ``m + softplus(raw + c)`` with c such that raw 0 gives 1.
nflows: parameter axis last; the same sizes; derivatives ``m + softplus(raw)``, so its raw is ours plus c.
zuko: parameter axis last; no smallest sizes; raw values pass a bounded squashing first, ``v / (1 + |2 v / log slope|)`` before the
softmax and ``exp(v / (1 + |v / log slope|))`` for derivatives. Both are inverted here.
"""

import math

import pytest
import torch
from torch import Tensor

from diffeo_bijectors import rational_quadratic, rational_quadratic_inverse

BINS, BOUND, SMALLEST = 8, 5.0, 1e-3
TIGHT = {"rtol": 0.0, "atol": 1e-10}


def draw() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return 2.5 * torch.randn(500, 3, dtype=torch.float64), torch.randn(3 * BINS - 1, 500, 3, dtype=torch.float64)


def parts(params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Raw widths, heights and derivatives with the parameter axis last."""
    widths, heights, derivatives = params.movedim(0, -1).split([BINS, BINS, BINS - 1], dim=-1)
    return widths, heights, derivatives


@pytest.mark.parametrize("inverse", [False, True])
def test_equals_nflows(inverse):
    splines = pytest.importorskip("nflows.transforms.splines.rational_quadratic", reason="needs nflows==0.14")
    x, params = draw()
    widths, heights, derivatives = parts(params)
    expected, expected_log_det = splines.unconstrained_rational_quadratic_spline(
        x,
        widths,
        heights,
        derivatives + math.log(math.expm1(1.0 - SMALLEST)),
        inverse=inverse,
        tails="linear",
        tail_bound=BOUND,
        min_bin_width=SMALLEST,
        min_bin_height=SMALLEST,
        min_derivative=SMALLEST,
    )
    y, log_det = (rational_quadratic_inverse if inverse else rational_quadratic)(x, params)
    assert (y - x).abs().max() > 1.0
    torch.testing.assert_close(y, expected, **TIGHT)
    torch.testing.assert_close(log_det, expected_log_det, **TIGHT)


@pytest.mark.parametrize("inverse", [False, True])
def test_equals_zuko(inverse):
    transforms = pytest.importorskip("zuko.transforms", reason="needs zuko==1.6.0")
    slope = 1e-30  # zuko's squashing keeps log-sizes within |log slope| / 2 = 34.5, so that it can be inverted
    x, params = draw()
    widths, heights, derivatives = parts(params)

    def raw_of_sizes(raw: Tensor) -> Tensor:
        sizes = (SMALLEST + (1.0 - BINS * SMALLEST) * torch.softmax(raw, -1)).log()
        return sizes / (1.0 - (2.0 * sizes / math.log(slope)).abs())

    def raw_of_derivatives(raw: Tensor) -> Tensor:
        offset = math.log(math.expm1(1.0 - SMALLEST))
        logs = (SMALLEST + torch.nn.functional.softplus(raw + offset)).log()
        return logs / (1.0 - (logs / math.log(slope)).abs())

    transform = transforms.MonotonicRQSTransform(
        raw_of_sizes(widths), raw_of_sizes(heights), raw_of_derivatives(derivatives), bound=BOUND, slope=slope
    )
    expected, expected_log_det = (transform.inv if inverse else transform).call_and_ladj(x)
    y, log_det = (rational_quadratic_inverse if inverse else rational_quadratic)(x, params)
    assert (y - x).abs().max() > 1.0
    torch.testing.assert_close(y, expected, **TIGHT)
    torch.testing.assert_close(log_det, expected_log_det, **TIGHT)
