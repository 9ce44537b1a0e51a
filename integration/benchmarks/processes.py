"""What a second process gains over a second thread: the demo's steps per second, in runs that take turns.

Usage: python integration/benchmarks/processes.py [--rounds N] [--steps N] [--recipe NAME]

One process with two threads against two processes of one thread each under torchrun, with the same global batch. Rates are
those of ``metrics.jsonl`` after the first fifth of a run; medians over the rounds, and their ratio.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def rate(processes: int, recipe: str, steps: int, folder: Path) -> float:
    """Steps per second of one run."""
    launcher = [sys.executable, "-m"]
    if processes > 1:
        launcher += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    settings = [f"trainer.steps={steps}", "trainer.log_every=5", f"trainer.eval_every={steps}", "evaluators=[]"]
    command = [*launcher, "diffeo", "train", recipe, "--out", str(folder)]
    command += [word for setting in settings for word in ("--set", setting)]
    threads = {"OMP_NUM_THREADS": str(2 // processes)}
    subprocess.run(command, check=True, env=os.environ | threads, capture_output=True)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(row["steps_per_second"] for row in rows if row["step"] > steps / 5 and "loss" in row)


def main() -> None:
    parser = argparse.ArgumentParser(description="Two processes over one with two threads.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--recipe", default="image-flow/demo")
    arguments = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        for round_ in range(arguments.rounds):
            for processes, found in rates.items():
                folder = Path(name, f"{round_}-{processes}")
                found.append(rate(processes, arguments.recipe, arguments.steps, folder))
    one, two = (statistics.median(found) for found in rates.values())
    print(f"1 process, 2 threads    {one:7.2f} steps/s")
    print(f"2 processes, 1 thread   {two:7.2f} steps/s")
    print(f"ratio {two / one:.2f}  ({arguments.rounds} rounds of {arguments.steps} steps of {arguments.recipe})")


if __name__ == "__main__":
    main()
