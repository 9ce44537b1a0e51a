"""Dtypes: what goes in comes out, float32 agrees with float64, log-dets stay precise under autocast."""

import copy

import torch

from diffeo.bijector import Bijector
from diffeo.testing.inputs import Inputs, directions
from diffeo.testing.reporting import expect, expect_close, expect_finite

__all__ = ["check_autocast", "check_dtypes"]


def check_dtypes(bijector: Bijector, inputs: Inputs, *, atol: float = 1e-3) -> None:
    """In float32 and, by ``.double()``, in float64, outputs and log-dets have the dtype of the input; the two agree."""
    single = copy.deepcopy(bijector).float()
    double = copy.deepcopy(single).double()
    rounded = inputs.to(dtype=torch.float32)
    precise = rounded.to(dtype=torch.float64)
    for way32, way64 in zip(directions(single, rounded), directions(double, precise), strict=True):
        out32, log_det32 = way32.call(way32.source, context=rounded.context)
        out64, log_det64 = way64.call(way64.source, context=precise.context)
        law = f"dtype ({way32.name})"
        for name, value, dtype in (
            ("output", out32, torch.float32),
            ("log-det", log_det32, torch.float32),
            ("output", out64, torch.float64),
            ("log-det", log_det64, torch.float64),
        ):
            expect(law, value.dtype == dtype, f"expected the {name} in {dtype}, as the input; got {value.dtype}")
        expect_close(f"{law}, float32 against float64", out32, out64, atol=atol, rtol=atol, at=way32.source)
        expect_close(f"{law}, float32 against float64", log_det32, log_det64, atol=atol, rtol=atol, at=way32.source)


def check_autocast(bijector: Bijector, inputs: Inputs) -> None:
    """Under an outer bfloat16 autocast values keep the dtype of the input and log-dets are at least float32."""
    single, rounded = copy.deepcopy(bijector).float(), inputs.to(dtype=torch.float32)
    for way in directions(single, rounded):
        law = f"autocast ({way.name})"
        with torch.autocast(way.source.device.type, torch.bfloat16):
            out, log_det = way.call(way.source, context=rounded.context)
        expect(law, out.dtype == torch.float32, f"expected values in float32, as the input; got {out.dtype}")
        precise = log_det.dtype in (torch.float32, torch.float64)
        expect(law, precise, f"expected a log-det in at least float32; got {log_det.dtype}")
        expect_finite(law, out, at=way.source)
        expect_finite(law, log_det, at=way.source)
