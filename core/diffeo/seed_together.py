"""Training several seeds together: which specs allow it, and the run folders, logs and hooks around the batch of models."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from diffeo.config_spec import Spec, Trainer
from diffeo.gradients import batch_norms
from diffeo.launch import launch_id
from diffeo.run import Run, RunError
from diffeo.run_folder import begin_folder
from diffeo.run_log import RunLog
from diffeo.running import exclusive, finish, prepare, reported, restore
from diffeo.seed_batch import BatchRefusedError, SeedBatch
from diffeo.spec_loading import resolved_text
from diffeo.stop_signals import StopSignals
from diffeo.trainer import Loop
from diffeo.world import World

__all__ = ["train_batch"]

LARGEST = 50_000
"""Parameters of one model up to which a batch of models pays: above, single operations are large enough to keep the cores
busy (docs/results/speed.md)."""


def train_batch(
    specs: Mapping[int, Spec], path: Path, until: int | None, *, show_progress: bool
) -> dict[int, Run | RunError]:
    """Train all seeds together; raises ``BatchRefusedError``, before anything is written, where that cannot be done."""
    _require_suitable(list(specs.values()))
    stop = StopSignals()
    with ExitStack() as stack:
        stack.enter_context(stop.caught())
        loops = {seed: _loop(spec, path / f"seed-{seed}", stack) for seed, spec in specs.items()}
        if len({loop.state.step for loop in loops.values()}) > 1:
            raise BatchRefusedError("the seeds stand at different steps")
        batch = SeedBatch(list(loops.values()))
        batch.require_no_noise()
        for loop in loops.values():
            _open(loop, stack)
        failed = batch.fit(until, stop, show_progress=show_progress)
        for loop in loops.values():
            if loop not in failed:
                finish(loop)
    return {seed: failed.get(loop, loop.run) for seed, loop in loops.items()}


def _require_suitable(specs: Sequence[Spec]) -> None:
    if len(specs) < 2:
        raise BatchRefusedError("there is one only")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BatchRefusedError("several processes train each seed together")
    trainer: Trainer = specs[0].trainer
    reasons = {
        "trainer.accumulate": trainer.accumulate > 1,
        "trainer.strict": trainer.strict,
        "trainer.memory: checkpoint": trainer.memory == "checkpoint",
        "trainer.precision: bfloat16": trainer.precision == "bfloat16",
        "trainer.nonfinite: skip": trainer.nonfinite == "skip",
    }
    for reason, holds in reasons.items():
        if holds:
            raise BatchRefusedError(f"a batch of models has no {reason}")


def _loop(spec: Spec, folder: Path, stack: ExitStack) -> Loop:
    """A run that is ready for its next step: fresh, or as its newest checkpoint left it."""
    world = World()
    loop = prepare(spec, folder, world)
    count = sum(parameter.numel() for parameter in loop.parameters)
    if count > LARGEST:
        raise BatchRefusedError(f"the model has {count:,} parameters; up to {LARGEST:,} of them gain")
    if batch_norms(loop.module):
        raise BatchRefusedError("batch normalisation keeps statistics that a batch of models cannot update")
    if (folder / "spec.yaml").exists():
        stack.enter_context(exclusive(folder, world))
        loop.seconds_before = restore(loop, folder)
    else:
        loop.initialize()
    return loop


def _open(loop: Loop, stack: ExitStack) -> None:
    """Make the run folder where it is new, and let log and hooks follow the run."""
    folder = loop.run.path
    if not (folder / "spec.yaml").exists():
        begin_folder(folder, resolved_text(loop.run.spec), launch_id())
        stack.enter_context(exclusive(folder, loop.world))
    stack.enter_context(reported(loop, RunLog(folder, loop.seconds_before)))
