"""What users call to train: ``train``, ``resume`` and ``evaluate``."""

import os
from pathlib import Path
from typing import Any

from diffeo import checkpoints
from diffeo.config_spec import Spec
from diffeo.evaluation import check_evaluators, evaluate_run, make_evaluators
from diffeo.loading import load
from diffeo.model_files import load_weights
from diffeo.preparation import assemble, make_data
from diffeo.progress import ProgressBar
from diffeo.randomness import derive, seeded
from diffeo.run import Run
from diffeo.run_folder import create_folder, new_folder, run_folder, spec_file, step_of
from diffeo.run_log import RunLog, truncate_metrics
from diffeo.spec_loading import load_spec, located, resolved_text
from diffeo.trainer import Loop
from diffeo.training_step import set_precision
from diffeo_registry import installed
from diffeo_registry.discovery import run_hooks

__all__ = ["evaluate", "prepare", "resume", "train"]


def train(
    spec: Spec, out: str | os.PathLike[str] | None = None, *, until: int | None = None, show_progress: bool = True
) -> Run:
    """Train what a spec describes and evaluate it; returns the run, whose folder is ``out`` (default ``runs/<name>-<n>``).

    ``until`` stops after that step as an interruption would. Raises ``DiffeoError`` for what is the user's to mend, before
    anything is written; ``RunError`` for training that could not go on.
    """
    folder = new_folder(spec, out)
    loop, hooks = prepare(spec, folder)
    loop.initialize()
    create_folder(folder)
    (folder / "spec.yaml").write_text(resolved_text(spec))
    return _fit(loop, hooks, until, RunLog(folder), show_progress)


def resume(path: str | os.PathLike[str], *, until: int | None = None, show_progress: bool = True) -> Run:
    """Continue a run from its newest whole checkpoint; a finished run is only evaluated again."""
    folder = Path(path)
    spec = load_spec(spec_file(folder))
    loop, hooks = prepare(spec, folder)
    loop.state.restore(checkpoints.newest(folder / "checkpoints"))
    loop.run.step = loop.state.step
    seconds = truncate_metrics(folder, loop.state.step)
    return _fit(loop, hooks, until, RunLog(folder, seconds), show_progress)


def evaluate(path: str | os.PathLike[str]) -> dict[str, float]:
    """Run the evaluators of a run again on its newest checkpoint (or on the one that ``path`` is) and rewrite the report."""
    path, folder = Path(path), run_folder(path)
    spec = load_spec(spec_file(folder))
    with located(spec):
        run = Run(path=folder, spec=spec, model=load(path), objective=None, data=make_data(spec))
        check_evaluators(spec, make_evaluators(spec), run.model, run.data)
    run.step = step_of(path)
    evaluate_run(run)
    return run.metrics


def prepare(spec: Spec, folder: Path) -> tuple[Loop, Any]:
    """The loop of a run and its run hooks, ready to initialise or to restore."""
    with located(spec), seeded(derive(spec.seed, "model")):
        loop = Loop(assemble(spec, folder), hooks := run_hooks(installed().run_plugins).hook)
    if spec.trainer.compile:
        loop.compile()
    return loop, hooks


def _fit(loop: Loop, hooks: Any, until: int | None, log: RunLog, show_progress: bool) -> Run:
    run, total = loop.run, loop.config.steps
    outcome = "failed"
    try:
        hooks.diffeo_run_started(run=run)
        with ProgressBar(total, start=loop.state.step, enabled=show_progress) as bar:
            loop.fit(min(total, total if until is None else until), log, bar)
        if run.outcome == "finished":
            if loop.state.ema is not None:
                load_weights(run.model, dict(run.model.state_dict()) | loop.state.ema.state(), "the moving average")
            if loop.config.precision == "bfloat16":
                set_precision(run.model, "float32")  # what is saved, and what `load` gives
            evaluate_run(run)
        run.model.eval()
        outcome = run.outcome
    finally:
        log.close()
        run.outcome = outcome
        hooks.diffeo_run_ended(run=run, outcome=outcome)
    return run
