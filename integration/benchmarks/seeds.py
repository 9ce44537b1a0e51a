"""Many seeds of a small flow as one batch of models against one after another, in turns within one run.

Usage: python integration/benchmarks/seeds.py [--seeds 5 20] [--steps N] [--rounds N] [--threads N] [--hidden N]

The flow is one on the plane: 3 times actnorm, LU linear map and affine coupling with an MLP of two layers, batch 64, Adam. Prints
the time of a step of one seed for the trainer's own loop, for the batch of models run eagerly, and for the compiled one, with
the time its first steps take (the fourth is compiled).
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from interleaved import interleave, report

import diffeo
from diffeo.running import prepare
from diffeo.seed_batch import SeedBatch
from diffeo.spec_loading import reseeded
from diffeo.trainer import Loop
from diffeo_registry import installed, structure

TRAINER = {"batch_size": 64, "steps": 1_000_000, "log_every": 1_000_000, "eval_every": 1_000_000}


def spec(hidden: int) -> diffeo.Spec:
    coupling = {"coupling": {"transform": "affine", "network": {"mlp": {"hidden": [hidden, hidden]}}}}
    model = {"flow": {"steps": [{"repeat": {"times": 3, "steps": ["actnorm", "lu_linear", coupling]}}]}}
    whole = {"diffeo": 1, "data": "checkerboard", "model": model, "trainer": TRAINER}
    return structure(whole, diffeo.Spec, registry=installed())


def ready(spec: diffeo.Spec, seed: int, folder: str) -> Loop:
    loop = prepare(reseeded(spec, seed), Path(folder))
    loop.initialize()
    loop.module.train()
    return loop


def repeated(step: Callable[[], object], times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            step()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description="Seeds at once against one by one.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--steps", type=int, default=100, help="steps of each measurement")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=50, help="width of the networks")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    small = spec(arguments.hidden)
    with tempfile.TemporaryDirectory() as folder:
        single = ready(small, 0, folder)
        print(f"{sum(parameter.numel() for parameter in single.parameters):,} parameters")
        steps = {"one by one": repeated(single.take_step, arguments.steps)}
        for count in arguments.seeds:
            for compiled in (False, True):
                batch = SeedBatch([ready(small, seed, folder) for seed in range(count)])
                if compiled:
                    batch.compute.compile()
                start = time.perf_counter()
                for _ in range(5):
                    batch.take_step()
                name = f"{count} at once{', compiled' if compiled else ''}"
                print(f"{name}: first 5 steps {time.perf_counter() - start:.1f} s")
                steps[name] = repeated(batch.take_step, arguments.steps)
        times = interleave(steps, arguments.rounds)
    seeds = {name: 1 if name == "one by one" else int(name.split()[0]) for name in times}
    per_seed = {name: [second / arguments.steps / seeds[name] for second in found] for name, found in times.items()}
    report("time of a step of one seed", per_seed, base="one by one")


if __name__ == "__main__":
    main()
