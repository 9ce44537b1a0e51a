"""The inverse of the mixture of logistics: the library's, and plain bisection until nothing moves any more.

Usage: python integration/benchmarks/mixture_logistic.py [--components N] [--rows N] [--entries N] [--scale S] [--rounds N]
    [--threads N]

Bisection is as published implementations of Flow++ have it: it starts at 0 in a bracket of 200 times the sum of the scales beyond
the outermost means, and halves it until the largest move of any entry is below 1e-12, at most 200 times. Parameters are normal
numbers of size ``--scale``: 0.1 is a network as it is initialised, 1 a trained one. Points are of the size of data.
"""

import argparse
from collections.abc import Callable

import torch
from interleaved import interleave, report
from torch import Tensor

import diffeo

TOLERANCE, MOST, WIDTH = 1e-12, 200, 200.0
"""Of bisection: when it stops, after how many halvings at the latest, and how many sums of scales the bracket reaches."""


def bisect(y: Tensor, params: Tensor, components: int) -> tuple[Tensor, int]:
    """The x with T(x) = y, and how many halvings it took."""
    log_scale, shift = params[0].tanh(), params[1]
    logits, means, log_scales = params[2:].unflatten(0, (3, components)).unbind(0)
    log_weights, log_scales = torch.log_softmax(logits, 0), log_scales.clamp_min(-7.0)
    probability = torch.sigmoid((y - shift) * torch.exp(-log_scale))
    reach = WIDTH * log_scales.exp().sum(0)
    low, high = means.amin(0) - reach, means.amax(0) + reach
    x = torch.zeros_like(y)
    for halvings in range(1, MOST + 1):
        z = (x - means) * torch.exp(-log_scales)
        mass = torch.exp(torch.logsumexp(log_weights + torch.nn.functional.logsigmoid(z), 0))
        low, high = torch.where(mass <= probability, x, low), torch.where(mass > probability, x, high)
        moved = (low + high) / 2
        largest = float((moved - x).abs().max())
        x = moved
        if largest < TOLERANCE:
            return x, halvings
    return x, MOST


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the inverse of the mixture of logistics.")
    parser.add_argument("--components", type=int, default=32)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--entries", type=int, default=768, help="of an event: 768 is half an image of CIFAR-10")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        transform = diffeo.build("elementwise", {"mixture_logistic": {"components": options.components}}).to(dtype)
        x = 1.5 * torch.randn(options.rows, options.entries, dtype=dtype)
        params = options.scale * torch.randn(2 + 3 * options.components, *x.shape, dtype=dtype)
        with torch.no_grad():
            y, _ = transform(x, params)
            found, halvings = bisect(y, params, options.components)
            back, _ = transform.inverse(y, params)
            functions: dict[str, Callable[[], object]] = {
                "mixture_logistic": lambda y=y, params=params, inverse=transform.inverse: inverse(y, params),
                "bisection": lambda y=y, params=params: bisect(y, params, options.components),
            }
            seconds = interleave(functions, options.rounds, warm_up=1)
        report(
            f"{dtype}: inverse of {options.rows} x {options.entries}, {options.components} components",
            seconds,
            "bisection",
        )
        print(f"  {halvings} halvings; largest error {float((found - x).abs().max()):.1e} by bisection, ", end="")
        print(f"{float((back - x).abs().max()):.1e} by the library")


if __name__ == "__main__":
    main()
