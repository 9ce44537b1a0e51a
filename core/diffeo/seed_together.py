"""How the seeds of one spec are trained: together as a batch of models where that can be done, else one after another."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from diffeo.config_spec import Spec
from diffeo.launch import launch_id
from diffeo.run import Run, RunError
from diffeo.run_folder import begin_folder
from diffeo.run_log import RunLog
from diffeo.running import exclusive, finish, go_on, prepare, reported, restore
from diffeo.seed_batch import SeedBatch
from diffeo.seed_checks import BatchRefusedError, require_suitable, require_suitable_model
from diffeo.spec_loading import resolved_text
from diffeo.stop_signals import StopSignals
from diffeo.trainer import Loop
from diffeo.world import World

__all__ = ["train_one_by_one", "train_together"]

Specs = Mapping[Path, Spec]
"""What to train, by run folder."""

Results = dict[Path, Run | RunError]
"""The runs, or why there is none."""


def train_together(specs: Specs, world: World, until: int | None, *, show_progress: bool) -> Results:
    """Train all seeds as a batch of models, those that stand at the same step together.

    Raises ``BatchRefusedError`` where that cannot be done: before anything is written, or, for a step that cannot be batched only
    later on, when everything is saved.
    """
    require_suitable(list(specs.values()), world)
    stop, fresh = StopSignals(), [folder for folder in specs if not _is_begun(folder)]
    with ExitStack() as stack:
        stack.enter_context(stop.caught())
        seconds = dict(_ready(spec, folder, world, stack) for folder, spec in specs.items())
        batches = [SeedBatch(loops) for loops in _by_step(seconds)]
        for batch in batches:
            batch.require_separable()
        _begin(specs)
        for folder in fresh:
            stack.enter_context(exclusive(folder, world))
        for loop, seconds_before in seconds.items():
            stack.enter_context(reported(loop, RunLog(loop.run.path, seconds_before)))
        reasons = [batch.fit(until, stop, show_progress=show_progress) for batch in batches]
        failed = {loop: error for batch in batches for loop, error in batch.failed.items()}
        for loop in seconds:
            if loop not in failed:
                finish(loop)
    if any(reasons):
        raise BatchRefusedError(next(filter(None, reasons)))
    return {loop.run.path: failed.get(loop, loop.run) for loop in seconds}


def train_one_by_one(specs: Specs, world: World, until: int | None, *, show_progress: bool) -> Results:
    """A run for each seed, until a signal stops one of them. One that fails does not stop the others."""
    runs: Results = {}
    if specs:
        folder, spec = next(iter(specs.items()))
        world.together(
            lambda: prepare(spec, folder, world)
        )  # what is the user's to mend is told before anything is written
        world.on_main(lambda: _begin(specs))
    for folder, spec in specs.items():
        try:
            run = runs[folder] = go_on(spec, folder, world, until, show_progress=show_progress)
        except RunError as error:
            runs[folder] = error
            continue
        if run.signal is not None:
            break
    return runs


def _ready(spec: Spec, folder: Path, world: World, stack: ExitStack) -> tuple[Loop, float]:
    """A run that is ready for its next step, fresh or as its newest checkpoint left it, and the seconds it had taken."""
    loop = prepare(spec, folder, world)
    require_suitable_model(loop)
    if _is_begun(folder):
        stack.enter_context(exclusive(folder, world))
        return loop, restore(loop, folder)
    loop.initialize()
    return loop, 0.0


def _by_step(loops: Iterable[Loop]) -> list[list[Loop]]:
    """The loops in groups that stand at the same step: one that failed, or was saved later than others, is in one of its own."""
    groups: dict[int, list[Loop]] = {}
    for loop in loops:
        groups.setdefault(loop.state.step, []).append(loop)
    return list(groups.values())


def _begin(specs: Specs) -> None:
    """Make the run folders that are not there yet, all of them: who resumes finds the seeds that had not begun as well."""
    for folder, spec in specs.items():
        if not _is_begun(folder):
            begin_folder(folder, resolved_text(spec), launch_id())


def _is_begun(folder: Path) -> bool:
    return (folder / "spec.yaml").exists()
