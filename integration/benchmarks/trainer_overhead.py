"""What the trainer costs over a bare loop: the demo's training step, by the trainer and by hand, interleaved in one run.

Usage: python integration/benchmarks/trainer_overhead.py [rounds] [recipe]

Prints the median time of a step of each and their ratio. Both run the same model on the same batches with the same
optimizer; the bare loop fetches the batch, computes the loss, goes back, clips, takes the step and updates the moving average
where the spec asks for them, and nothing else: no seeds, no schedule, no check for numbers that are not finite, no metrics.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

import diffeo
from diffeo.building import make
from diffeo.objective import Progress
from diffeo.run import Run
from diffeo.run_log import RunLog
from diffeo.running import prepare


def main(rounds: int, recipe: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trained, bare = (prepare(diffeo.load_spec(recipe), Path(folder)) for _ in range(2))
        trained.log = RunLog(Path(folder))
        for loop in (trained, bare):
            loop.initialize()
            loop.module.train()
        steps = {"trainer": trained.take_step, "bare loop": bare_step(bare.run)}
        times: dict[str, list[float]] = {name: [] for name in steps}
        for round_ in range(rounds + 3):
            for name, step in steps.items():
                start = time.perf_counter()
                step()
                if round_ >= 3:  # the first rounds warm caches up
                    times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:10s} median {1e3 * median:8.2f} ms")
    print(
        f"ratio {medians['trainer'] / medians['bare loop']:.3f}  ({rounds} rounds, {torch.get_num_threads()} threads)"
    )


def bare_step(run: Run):
    model, objective, spec = run.model, run.objective, run.spec
    parameters = list(model.parameters())
    optimizer = make(spec.trainer.optimizer, parameters)
    averages = [parameter.detach().clone() for parameter in parameters]
    size, generator = run.data.size("train"), torch.Generator().manual_seed(0)

    def step() -> None:
        indices = torch.randint(size, (spec.trainer.batch_size,), generator=generator)
        batch = run.data.batch("train", indices, indices)
        batch = {key: value.float() if value.is_floating_point() else value for key, value in batch.items()}
        objective(model, batch, Progress(0, 1, len(indices))).value.backward()
        if spec.trainer.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, spec.trainer.clip)
        optimizer.step()
        if spec.trainer.ema is not None:
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1 - spec.trainer.ema)
        optimizer.zero_grad(set_to_none=True)

    return step


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30, sys.argv[2] if len(sys.argv) > 2 else "image-flow/demo")
