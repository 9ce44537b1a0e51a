"""Table 1 of Bekasov & Murray 2020 (arXiv:2006.08777): linear flows on a normal density in three dimensions.

    python integration/benchmarks/nested_dropout_table.py [--out runs/table-1] [--seeds 0-9] [--steps 30000]

Trains the four recipes, all seeds of a recipe as one batch of models, two recipes at a time, each with one thread; prints the
table in Markdown. Errors are two standard deviations over the seeds, as in the paper. Likelihoods are compared with the exact one
of the same examples, since that of a finite sample differs from its expectation by more than the models do from it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean, pstdev

import torch

import diffeo

ROWS = {
    "QR": ("gaussian-qr-baseline", "-0.804", ".240 ± .053", ".321 ± .025"),
    "QR*": ("gaussian-qr", "-0.804", ".003 ± .000", ".037 ± .000"),
    "LU": ("gaussian-lu-baseline", "-0.804", ".051 ± .042", ".257 ± .130"),
    "LU*": ("gaussian-lu", "-0.805 ± .001", ".008 ± .007", ".037 ± .001"),
}
"""Row -> recipe, and the paper's log-likelihood, MSE(2) and MSE(1). A star: with nested dropout."""


def train(recipe: str, out: Path, arguments: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "diffeo", "train", f"nested-dropout/{recipe}", "--seeds", arguments.seeds]
    command += ["--out", str(out / recipe), "--set", f"trainer.steps={arguments.steps}"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{recipe}: {done.stderr}")


def spread(values: list[float], digits: int = 4) -> str:
    return f"{fmean(values):.{digits}f} ± {2 * pstdev(values):.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/table-1"))
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--steps", type=int, default=30_000)
    arguments = parser.parse_args()
    start = time.monotonic()
    recipes = [recipe for recipe, *_ in ROWS.values()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda recipe: train(recipe, arguments.out, arguments), recipes))
    seconds = time.monotonic() - start
    data = diffeo.build("dataset", "rotated_gaussian", seed=0)
    exact = float(data.log_prob(data.batch("test", torch.arange(data.size("test")))["x"].double()).mean())
    results = {
        row: [
            json.loads(path.read_text()) for path in sorted((arguments.out / recipe).glob("seed-*/report/metrics.json"))
        ]
        for row, (recipe, *_) in ROWS.items()
    }
    first = results["QR*"][0]
    print("| | log p - exact | MSE(2) | MSE(1) | paper: log p | MSE(2) | MSE(1) |\n|---|---|---|---|---|---|---|")
    pca = [f"{first[f'reconstruction_curve/pca_{kept}']:.4f}" for kept in (2, 1)]
    print(f"| PCA | | {pca[0]} | {pca[1]} | | .003 | .037 |")
    for row, runs in results.items():
        gap = spread([run["likelihood/log_prob"] - exact for run in runs])
        errors = [spread([run[f"reconstruction_curve/mse_{kept}"] for run in runs]) for kept in (2, 1)]
        print(f"| {row} | {gap} | {errors[0]} | {errors[1]} | {' | '.join(ROWS[row][1:])} |")
    print(
        f"\nExact log-likelihood of the test examples: {exact:.4f} nats. {len(results['QR*'])} seeds, {seconds:.0f} s."
    )


if __name__ == "__main__":
    main()
