"""What a step of variational inference costs with each estimator of its gradient, in turns within one run; and its memory.

Usage: python integration/benchmarks/path_gradients.py [--dim D] [--layers N] [--rounds N] [--steps N] [--threads N]
       python integration/benchmarks/path_gradients.py --memory [--dim D] [--layers N]

The flow is the proposed one (soft clamp, LOFT, Student-t base, two perceptrons of 100 units a coupling), 256 draws in float64,
Adam; the target is the funnel. Each estimator has a model of its own. With --memory each estimator takes three steps in a
process of its own, whose peak resident memory is printed beside that of the imports alone.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from interleaved import interleave, report

import diffeo

ESTIMATORS = ("total", "fast_path", "path")
DRAWS = 256


def flow(dim: int, layers: int) -> Any:
    """The proposed flow."""
    couplings = [
        {
            "coupling": {
                "split": {"alternate": {"swap": bool(layer % 2)}},
                "transform": {"affine": {"scale": "soft_clamp"}},
                "network": "two_mlps",
            }
        }
        for layer in range(layers)
    ]
    spec = {"flow": {"start": "base", "steps": [*couplings, "loft", "scale_shift"], "base": "student_t"}}
    return diffeo.build("model", spec, shape=(dim,)).double()


def step_of(gradient: str, dim: int, layers: int) -> Callable[[], None]:
    """One training step with this estimator."""
    torch.manual_seed(0)
    model = flow(dim, layers)
    target = diffeo.build("target", {"funnel": {"dim": dim}})
    objective = diffeo.build("objective", {"reverse_kl": {"gradient": gradient}}, model=model, data=target)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        objective(model, {}, diffeo.Progress(0, 1, DRAWS)).value.backward()
        optimizer.step()

    return step


def repeated(step: Callable[[], None], times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            step()

    return run


def peak() -> float:
    """MiB this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(dim: int, layers: int) -> None:
    """Print the peak of each estimator, one process each."""
    print(f"peak resident memory, D = {dim}, {layers} layers, {DRAWS} draws, float64")
    for gradient in ("none", *ESTIMATORS):
        command = [sys.executable, __file__, "--one", gradient, "--dim", str(dim), "--layers", str(layers)]
        print(f"{gradient:10} {subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimators of the gradient, against each other.")
    parser.add_argument("--dim", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1, help="steps of each measurement")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--one", choices=("none", *ESTIMATORS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        memory(arguments.dim, arguments.layers)
    elif arguments.one:
        if arguments.one != "none":
            repeated(step_of(arguments.one, arguments.dim, arguments.layers), 3)()
        print(f"{peak():.0f}")
    else:
        steps = {name: repeated(step_of(name, arguments.dim, arguments.layers), arguments.steps) for name in ESTIMATORS}
        times = interleave(steps, arguments.rounds)
        per_step = {name: [second / arguments.steps for second in found] for name, found in times.items()}
        report(f"a step, D = {arguments.dim}, {arguments.layers} layers", per_step, base="total")


if __name__ == "__main__":
    main()
