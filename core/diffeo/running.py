"""What users call to train: ``train``, ``resume`` and ``evaluate``, in one process or in each of those torchrun started."""

import json
import os
import re
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from diffeo import checkpoints
from diffeo.config_spec import Spec
from diffeo.dataset import Target
from diffeo.durable_files import Part
from diffeo.evaluation import check_evaluators, evaluate_run, make_evaluators
from diffeo.flow_model import FlowModel
from diffeo.given import with_data
from diffeo.hook_calls import HookCalls
from diffeo.launch import joined, launch_id
from diffeo.loading import load
from diffeo.model_files import load_weights
from diffeo.preparation import assemble, make_data
from diffeo.progress import ProgressBar
from diffeo.randomness import derive, seeded
from diffeo.run import Run
from diffeo.run_folder import begin_folder, launched_folder, new_folder, run_folder, spec_file, step_of
from diffeo.run_lock import RunLock
from diffeo.run_log import RunLog, truncate_metrics
from diffeo.run_metrics import evaluated
from diffeo.spec_loading import load_spec, located, require_list, resolved_text
from diffeo.stop_signals import StoppedError, StopSignals
from diffeo.trainer import Loop
from diffeo.training_setup import set_up
from diffeo.training_state import surroundings
from diffeo.training_step import set_precision
from diffeo.world import World
from diffeo_registry import BuildError, DiffeoError, installed

__all__ = ["evaluate", "prepare", "resume", "train"]

_OF_EVALUATORS = re.compile(r"\s*evaluators\s*[=.\[]")


def train(
    spec: Spec,
    out: str | os.PathLike[str] | None = None,
    *,
    data: Target | None = None,
    until: int | None = None,
    show_progress: bool = True,
) -> Run:
    """Train what a spec describes and evaluate it; returns the run, whose folder is ``out`` (default ``runs/<name>-<n>``).

    ``data`` is a target that takes the place of the spec's data, such as a ``CallableTarget``. ``until`` stops after that
    step as an interruption would. Raises ``DiffeoError`` for what is the user's to mend, before anything is written;
    ``RunError`` for training that could not go on. Where torchrun has restarted its processes, the run goes on from its
    newest checkpoint.
    """
    spec = with_data(spec, data)
    with joined(spec.trainer.timeout) as world:
        folder, is_begun = agree_on_folder(spec, out, world)
        if is_begun:
            begun = with_data(load_spec(spec_file(folder)), data)
            return go_on(begun, folder, world, until, show_progress=show_progress)
        stop = StopSignals()
        with stop.caught(), _threads(spec):
            loop = world.together(lambda: prepare(spec, folder, world))
            world.together(loop.initialize)
            world.on_main(lambda: begin_folder(folder, resolved_text(spec), launch_id()))
            with exclusive(folder, world):
                return _fit(loop, until, RunLog(folder if world.is_main else None), stop, show_progress=show_progress)


def resume(
    path: str | os.PathLike[str], *, data: Target | None = None, until: int | None = None, show_progress: bool = True
) -> Run:
    """Continue a run from its newest whole checkpoint; a finished run is only evaluated again.

    A run that ended before its first checkpoint begins again, which is the same. Damaged checkpoints are moved aside.
    ``data`` is the target of a run whose target came from Python.
    """
    folder = Path(path)
    spec = with_data(load_spec(spec_file(folder)), data)
    with joined(spec.trainer.timeout) as world:
        return go_on(spec, folder, world, until, show_progress=show_progress)


def evaluate(
    path: str | os.PathLike[str], *, overrides: Sequence[str] = (), data: Target | None = None
) -> dict[str, float]:
    """Run the evaluators of a run again on its newest checkpoint (or on the one that ``path`` is) and rewrite the report.

    ``overrides`` ask for others or for other settings, ``["evaluators[0].likelihood.num_samples=5000"]``; the spec of the run
    stays as it is, and so do the numbers that its other evaluators had found for the newest checkpoint. ``data`` is the target
    of a run whose target came from Python.
    """
    path, folder = Path(path), run_folder(path)
    require_list(overrides)
    for text in overrides:
        if not _OF_EVALUATORS.match(text):
            raise DiffeoError(
                f"--set {text}: expected a key that begins with evaluators; the rest of a run stays as it was trained"
            )
    spec = with_data(load_spec(spec_file(folder), overrides), data)
    with joined(spec.trainer.timeout) as world:
        run = world.together(lambda: _trained_run(path, folder, spec))
        if overrides and path == folder:
            run.metrics |= _found_before(folder, spec)
        evaluate_run(run, world)
    return run.metrics


def prepare(spec: Spec, folder: Path, world: World | None = None) -> Loop:
    """The loop of a run, ready to initialise or to restore."""
    world = world or World()
    with located(spec), seeded(derive(spec.seed, "model")):
        run = assemble(spec, folder)
        loop = Loop(run, set_up(run, world), HookCalls(installed().run_plugins if world.is_main else ()), world)
    if spec.trainer.compile:
        loop.module.compile()  # in place, so that the names of parameters stay as they are
    return loop


def go_on(spec: Spec, folder: Path, world: World, until: int | None, *, show_progress: bool) -> Run:
    """Continue the run of this spec in its folder from the newest whole checkpoint, or from the start if there is none."""
    stop = StopSignals()
    with stop.caught(), _threads(spec):
        loop = world.together(lambda: prepare(spec, folder, world))
        with exclusive(folder, world):
            seconds = restore(loop, folder)
            log = RunLog(folder if world.is_main else None, seconds)
            return _fit(loop, until, log, stop, show_progress=show_progress)


def restore(loop: Loop, folder: Path) -> float:
    """Bring a loop to the newest whole checkpoint; returns the seconds the run had taken by then.

    The main process reads the files and sends them to the others, which therefore cannot load anything else, and need no
    drive in common.
    """
    world = loop.world
    recovered = world.on_main(lambda: checkpoints.recover(folder / "checkpoints"))
    path = None if recovered is None else recovered.path
    files = _distribute({} if recovered is None else recovered.files, world)
    if files:
        before = world.together(lambda: loop.state.restore(files, str(path or folder)))
        _warn_of_differences(loop, before)
    else:
        world.together(loop.initialize)
    loop.run.step = loop.state.step
    # A run that begins again writes the line of step 0 again as well.
    seconds = truncate_metrics(folder, loop.state.step or -1) if world.is_main else 0.0
    if recovered is not None:
        log = RunLog(folder)
        for problem in recovered.problems:
            log.incident(loop.state.step, problem)
    return seconds


def _distribute(files: Mapping[str, Part], world: World) -> dict[str, Part]:
    names: list[str] = json.loads(bytes(world.broadcast(json.dumps(sorted(files)).encode())))
    return {name: world.broadcast(files.get(name, b"")) for name in names}


def _warn_of_differences(loop: Loop, before: Mapping[str, Any]) -> None:
    if not loop.world.is_main:
        return
    now = surroundings(loop.world.size, loop.device.type, compiled=loop.config.compile)
    same_anyway = {"processes", "threads"} if loop.config.strict else set[str]()
    changed = [f"{key} {before.get(key)} -> {now[key]}" for key in now if before.get(key) != now[key]]
    changed = [text for text in changed if text.split()[0] not in same_anyway]
    if changed:
        warnings.warn(f"the run goes on with other {', '.join(changed)}: results differ by rounding", stacklevel=2)


def _fit(loop: Loop, until: int | None, log: RunLog, stop: StopSignals, *, show_progress: bool) -> Run:
    with reported(loop, log):
        with ProgressBar(loop.config.steps, start=loop.state.step, enabled=show_progress and loop.world.is_main) as bar:
            loop.fit(last_step(loop, until), bar, stop)
        finish(loop)
    return loop.run


def last_step(loop: Loop, until: int | None) -> int:
    """The step a run is to stop after."""
    return loop.config.steps if until is None else min(until, loop.config.steps)


@contextmanager
def reported(loop: Loop, log: RunLog) -> Generator[None]:
    """Let hooks and log follow a run, from before its first step to how it ended."""
    run, outcome = loop.run, "failed"
    loop.log = log
    loop.hooks.report = lambda text: log.incident(run.step, text)
    try:
        loop.world.together(lambda: loop.hooks.started(run))
        yield
        outcome = run.outcome
    except StoppedError as stopped:
        raise StoppedError(stopped.number, run.path) from None
    finally:
        run.outcome = outcome
        loop.hooks.ended(run, outcome)


def finish(loop: Loop) -> None:
    """After the last step: evaluate the weights that were saved."""
    if loop.run.outcome == "finished":
        _take_final_weights(loop)
        evaluate_run(loop.run, loop.world)
    loop.run.model.eval()


def _take_final_weights(loop: Loop) -> None:
    """Give the model the weights that were saved, in the precision that ``load`` gives."""
    model, ema, best = loop.run.model, loop.state.ema, loop.state.best
    if ema is not None:
        load_weights(model, dict(model.state_dict()) | ema.state(), "the moving average")
    if best is not None:
        load_weights(model, dict(model.state_dict()) | best.state(), "the selected weights")
    if loop.config.precision == "bfloat16":
        set_precision(model, "float32")


def _trained_run(path: Path, folder: Path, spec: Spec) -> Run:
    with located(spec):
        run = Run(path=folder, spec=spec, model=load(path), objective=None, data=make_data(spec))
        _require_data_of_run(run)
        check_evaluators(spec, make_evaluators(spec), run.model, run.data)
    run.step = step_of(path)
    return run


def _require_data_of_run(run: Run) -> None:
    """Raise where the files of the data have changed since the model was built from their shapes."""
    if not isinstance(run.model, FlowModel):
        return
    for name, wanted in (("x", run.model.event_shape), ("context", run.model.context_shape)):
        given = run.data.shapes.get(name)
        if given != wanted:
            message = (
                f"expected {name} of shape {wanted}, as this run was trained on; got {given}: have the data changed?"
            )
            raise BuildError(message, ("data", installed().of(run.spec.data).name))


def _found_before(folder: Path, spec: Spec) -> dict[str, float]:
    """The numbers in the report of evaluators that the spec does not have."""
    names = {installed().of(config).name for config in spec.evaluators}
    return {key: value for key, value in evaluated(folder).items() if key.partition("/")[0] not in names}


def agree_on_folder(spec: Spec, out: str | os.PathLike[str] | None, world: World) -> tuple[Path, bool]:
    """Where the run goes, as the main process sees it, and whether an attempt before a restart has begun it."""

    def choose() -> tuple[str, bool]:
        begun = launched_folder(spec, out, launch_id()) if world.restarts else None
        return str(begun or new_folder(spec, out)), begun is not None

    name, is_begun = json.loads(bytes(world.broadcast(json.dumps(world.on_main(choose)).encode())))
    return Path(name), is_begun


@contextmanager
def exclusive(folder: Path, world: World) -> Generator[None]:
    """Hold the lock of the run folder in the main process."""
    with ExitStack() as stack:
        world.on_main(lambda: stack.enter_context(RunLock(folder)))
        yield


@contextmanager
def _threads(spec: Spec) -> Generator[None]:
    """One thread in strict mode, whatever torch was told: how many there are decides the order in which numbers add up."""
    before = torch.get_num_threads()
    if spec.trainer.strict:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
