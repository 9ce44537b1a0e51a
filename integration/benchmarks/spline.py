"""The rational-quadratic spline alone, forward and backward pass: eager, compiled, and in other libraries.

Usage: python integration/benchmarks/spline.py [--bins N] [--rows N] [--dim N] [--rounds N] [--threads N]

Parameters arrive as a network returns them: ``(rows, parameters * dim)`` here, ``(rows, dim * parameters)`` for the others,
which want the parameter axis last. Peers that are not installed are left out.
"""

import argparse
import importlib.util
from collections.abc import Callable

import torch
from interleaved import interleave, report
from torch import Tensor

from diffeo_bijectors import rational_quadratic, rational_quadratic_inverse

BOUND = 5.0

Spline = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From x ``(rows, dim)`` and a network's output ``(rows, n)`` to y and its log-derivative."""


def parameters_first(function: Spline) -> Spline:
    """Lay the network's output out as a coupling does."""

    def call(x: Tensor, flat: Tensor) -> tuple[Tensor, Tensor]:
        return function(x, flat.reshape(len(x), -1, x.shape[1]).movedim(1, 0))

    return call


def nflows(bins: int, *, inverse: bool) -> Spline:
    from nflows.transforms.splines.rational_quadratic import unconstrained_rational_quadratic_spline

    def call(x: Tensor, flat: Tensor) -> tuple[Tensor, Tensor]:
        parts = flat.reshape(*x.shape, -1).split([bins, bins, bins - 1], dim=-1)
        return unconstrained_rational_quadratic_spline(x, *parts, inverse=inverse, tails="linear", tail_bound=BOUND)

    return call


def zuko(bins: int, *, inverse: bool) -> Spline:
    from zuko.transforms import MonotonicRQSTransform

    def call(x: Tensor, flat: Tensor) -> tuple[Tensor, Tensor]:
        transform = MonotonicRQSTransform(
            *flat.reshape(*x.shape, -1).split([bins, bins, bins - 1], dim=-1), bound=BOUND
        )
        return (transform.inv if inverse else transform).call_and_ladj(x)

    return call


def both_passes(spline: Spline, x: Tensor, flat: Tensor) -> Callable[[], None]:
    def run() -> None:
        inputs = [x.clone().requires_grad_(), flat.clone().requires_grad_()]
        y, log_det = spline(*inputs)
        torch.autograd.grad(y.square().sum() - log_det.sum(), inputs)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description="Forward and backward pass of the rational-quadratic spline.")
    for name, default in {"bins": 8, "rows": 1024, "dim": 32, "rounds": 21, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    x = 2.0 * torch.randn(arguments.rows, arguments.dim)
    flat = torch.randn(arguments.rows, arguments.dim * (3 * arguments.bins - 1))
    for inverse in (False, True):
        function = rational_quadratic_inverse if inverse else rational_quadratic
        splines = {
            "eager": parameters_first(function),
            "compiled": parameters_first(torch.compile(function, fullgraph=True)),
        }
        splines |= {
            peer.__name__: peer(arguments.bins, inverse=inverse)
            for peer in (nflows, zuko)
            if importlib.util.find_spec(peer.__name__)
        }
        seconds = interleave({name: both_passes(spline, x, flat) for name, spline in splines.items()}, arguments.rounds)
        report(f"{'inverse' if inverse else 'forward'}, {arguments.bins} bins", seconds, base="eager")


if __name__ == "__main__":
    main()
