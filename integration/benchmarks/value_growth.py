"""How values grow along deep flows while they are trained: without a clamp, and with the soft clamp and LOFT.

Usage: python integration/benchmarks/value_growth.py [--target NAME] [--dim D] [--layers N] [--steps N] [--lr LR] [--draws N]
       [--threads N] [--methods NAME...]

Each method takes the same number of steps with the same seed: Adam, float64, path gradient; a step whose loss or gradient is not
finite is skipped. Every quarter of the run 256 fresh draws go through the flow. Printed are how many of them are
not finite, the largest magnitude after a quarter, a half and all of the couplings and of theta, the steps that were skipped so
far, and the mean ELBO of the steps since the line before.
"""

import argparse
from typing import Any

import torch
from torch import Tensor

import diffeo

FRESH = 256
CLAMP = {"soft_clamp": {"negative": 2.0, "positive": 0.1}}
METHODS: dict[str, tuple[Any, list[Any], Any]] = {
    "Real NVP, no clamp": ("exp", [], "diagonal_normal"),
    "no clamp, final scale": ("exp", ["scale_shift"], "standard_normal"),
    "soft clamp and LOFT": (CLAMP, ["loft", "scale_shift"], "student_t"),
}
"""Scale function, what comes after the couplings, and the base."""


def build(method: str, dim: int, layers: int) -> Any:
    """The flow of a method."""
    scale, ending, base = METHODS[method]
    couplings = [
        {
            "coupling": {
                "split": {"alternate": {"swap": bool(layer % 2)}},
                "transform": {"affine": {"scale": scale}},
                "network": "two_mlps",
            }
        }
        for layer in range(layers)
    ]
    return diffeo.build(
        "model", {"flow": {"start": "base", "steps": [*couplings, *ending], "base": base}}, shape=(dim,)
    ).double()


@torch.no_grad()
def largest(model: Any, layers: int) -> tuple[int, list[float]]:
    """Fresh draws: how many are not finite, and the largest magnitude after parts of the couplings and at the end."""
    x = model.base.sample((FRESH,))
    found: list[Tensor] = []
    for step in model.steps:
        x, _ = step(x)
        found.append(x.abs().max())
    bad = int((~x.isfinite()).any(-1).sum())
    return bad, [float(found[index - 1]) for index in (layers // 4, layers // 2, layers, len(found))]


def train(method: str, target: Any, arguments: argparse.Namespace) -> None:
    """Take the steps, and print a line of the table every quarter of them."""
    torch.manual_seed(0)
    dim = target.event_shape[0]
    model = build(method, dim, arguments.layers)
    spec = {"reverse_kl": {"gradient": "fast_path"}}
    objective = diffeo.build("objective", spec, model=model, data=target)
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.lr, fused=True)
    skipped, elbos = 0, []
    for step in range(arguments.steps):
        optimizer.zero_grad(set_to_none=True)
        loss = objective(model, {}, diffeo.Progress(step, arguments.steps, arguments.draws))
        loss.value.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        if bool(loss.value.isfinite()) and bool(norm.isfinite()):
            optimizer.step()
            elbos.append(float(loss.metrics["elbo"]))
        else:
            skipped += 1
        if (step + 1) % max(1, arguments.steps // 4) == 0:
            bad, values = largest(model, arguments.layers)
            elbo = sum(elbos) / len(elbos) if elbos else float("nan")
            cells = [method, str(step + 1), f"{bad} of {FRESH}", *(f"{value:.3g}" for value in values)]
            print("| " + " | ".join([*cells, str(skipped), f"{elbo:.4g}"]) + " |", flush=True)
            elbos = []


def main() -> None:
    parser = argparse.ArgumentParser(description="Growth of values along deep flows.")
    parser.add_argument("--target", default="funnel")
    parser.add_argument("--dim", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--draws", type=int, default=256, help="draws of each step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    target = diffeo.build("target", {arguments.target: {"dim": arguments.dim}})
    quarter, half = arguments.layers // 4, arguments.layers // 2
    head = ["method", "step", "not finite", *(f"after {n}" for n in (quarter, half, arguments.layers)), "theta"]
    print("| " + " | ".join([*head, "skipped", "ELBO"]) + " |")
    print("|---" * 9 + "|")
    for method in arguments.methods:
        train(method, target.double(), arguments)


if __name__ == "__main__":
    main()
