"""What users call: ``train``, ``resume``, ``evaluate``, ``check`` and ``load``."""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn

from diffeo import checkpoints
from diffeo.building import make
from diffeo.config_spec import Spec
from diffeo.dataset import Dataset
from diffeo.evaluator import Evaluator
from diffeo.model_files import CheckpointError, load_weights, read_model
from diffeo.progress import ProgressBar
from diffeo.randomness import derive, seeded
from diffeo.report import write_report
from diffeo.run import Run
from diffeo.run_log import RunLog, truncate_metrics
from diffeo.spec_loading import load_spec, located, resolved_text
from diffeo.summary import Row, describe_model
from diffeo.trainer import Loop
from diffeo.training_step import set_precision
from diffeo_registry import BuildError, DiffeoError, installed
from diffeo_registry.discovery import run_hooks

__all__ = ["Plan", "check", "evaluate", "load", "resume", "train"]


@attrs.frozen
class Plan:
    """A spec that was built without training: the model, its rows, and warnings (data that are not there)."""

    model: Any
    rows: list[Row]
    warnings: list[str]


def train(
    spec: Spec, out: str | os.PathLike[str] | None = None, *, until: int | None = None, show_progress: bool = True
) -> Run:
    """Train what a spec describes and evaluate it; returns the run, whose folder is ``out`` (default ``runs/<name>-<n>``).

    ``until`` stops after that step as an interruption would. Raises ``DiffeoError`` for what is the user's to mend, before
    anything is written; ``RunError`` for training that could not go on.
    """
    folder = _new_folder(spec, out)
    loop, hooks = prepare(spec, folder)
    loop.initialize()
    _create(folder)
    (folder / "spec.yaml").write_text(resolved_text(spec))
    return _fit(loop, hooks, until, RunLog(folder), show_progress)


def resume(path: str | os.PathLike[str], *, until: int | None = None, show_progress: bool = True) -> Run:
    """Continue a run from its newest whole checkpoint; a finished run is only evaluated again."""
    folder = Path(path)
    spec = load_spec(_spec_file(folder))
    loop, hooks = prepare(spec, folder)
    loop.state.restore(checkpoints.newest(folder / "checkpoints"))
    loop.run.step = loop.state.step
    seconds = truncate_metrics(folder, loop.state.step)
    return _fit(loop, hooks, until, RunLog(folder, seconds), show_progress)


def evaluate(path: str | os.PathLike[str]) -> dict[str, float]:
    """Run the evaluators of a run again on its newest checkpoint (or on one file of it) and rewrite the report."""
    path, folder = Path(path), run_folder(path)
    spec = load_spec(_spec_file(folder))
    run = Run(path=folder, spec=spec, model=load(path), objective=None, data=_make_data(spec))
    run.step = _step_of(path)
    with located(spec):
        _check_evaluators(spec, _make_evaluators(spec), run.model, run.data)
    _evaluate(run)
    return run.metrics


def run_folder(path: str | os.PathLike[str]) -> Path:
    """The run folder that a path is or lies in."""
    path = Path(path)
    return next((place for place in (path, *path.absolute().parents) if (place / "spec.yaml").exists()), path)


def check(spec: Spec) -> Plan:
    """Build everything a spec names and train nothing; data files that are missing are a warning."""
    warnings: list[str] = []
    with located(spec):
        try:
            data = _make_data(spec, prepare=False)
        except BuildError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            return Plan(None, [], [f"{error.message} (the shapes of the data are in it, so the model is not checked)"])
        try:
            _prepare_data(spec, data)
        except BuildError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            warnings.append(error.message)
        model = make(spec.model, *_shapes(data), at="model")
        objective = make(spec.objective, model, data, at="objective")
        make(spec.trainer.optimizer, list(nn.ModuleList([model, objective]).parameters()), at=("trainer", "optimizer"))
        evaluators = _make_evaluators(spec)
        if not warnings:
            _check_evaluators(spec, evaluators, model, data)
    return Plan(model, describe_model(model), warnings)


def load(path: str | os.PathLike[str]) -> Any:
    """The model of a run folder (its newest whole checkpoint), a checkpoint folder or a ``model.safetensors``, in eval mode.

    Nothing but the plugins of the model's own components is needed: neither the data nor the objective.
    """
    path = Path(path)
    if path.is_file():
        return read_model(path)
    if (path / "model.safetensors").exists():
        checkpoints.verify(path)
        return read_model(path / "model.safetensors")
    if not (path / "checkpoints").is_dir():
        raise CheckpointError(f"{path}: expected a run folder, a checkpoint or a model.safetensors; got none of them")
    return read_model(checkpoints.newest(path / "checkpoints") / "model.safetensors")


def prepare(spec: Spec, folder: Path) -> tuple[Loop, Any]:
    """Data, model, objective and loop; everything that can fail on the user's side fails here, before a file is written."""
    with located(spec), seeded(derive(spec.seed, "model")):
        data = _make_data(spec)
        model = make(spec.model, *_shapes(data), at="model")
        objective = make(spec.objective, model, data, at="objective")
        _check_evaluators(spec, _make_evaluators(spec), model, data)
        run = Run(path=folder, spec=spec, model=model, objective=objective, data=data)
        hooks = run_hooks(installed().run_plugins).hook
        loop = Loop(run, hooks)
        if spec.start_from is not None:
            _start_from(model, spec.start_from)
    if spec.trainer.compile:
        loop.compile()
    return loop, hooks


def _start_from(model: nn.Module, source: Path) -> None:
    try:
        load_weights(model, dict(load(source).state_dict()), str(source))
    except CheckpointError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more: is it a run of the same model?)" if others else ""
        raise BuildError(f"{first}{more}", ("start_from",)) from error


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
            _evaluate(run)
        run.model.eval()
        outcome = run.outcome
    finally:
        log.close()
        run.outcome = outcome
        hooks.diffeo_run_ended(run=run, outcome=outcome)
    return run


def _evaluate(run: Run) -> None:
    """Evaluators one by one, their numbers into metrics.json, and the report."""
    report = run.path / "report"
    report.mkdir(exist_ok=True)
    run.model.eval()
    with torch.no_grad():
        for index, evaluator in enumerate(_make_evaluators(run.spec)):
            name = installed().of(run.spec.evaluators[index]).name
            folder = report / name
            folder.mkdir(exist_ok=True)
            with seeded(derive(run.spec.seed, "evaluator", name, index)):
                results: Mapping[str, float] = evaluator(run.model, run.data, folder)
            run.metrics |= {f"{name}/{key}": float(value) for key, value in results.items()}
            if not any(folder.iterdir()):
                folder.rmdir()
    (report / "metrics.json").write_text(json.dumps(run.metrics, indent=1, sort_keys=True) + "\n")
    write_report(
        run.path,
        structure=describe_model(run.model),
        versions=_versions(),
        facts={"seed": str(run.spec.seed), "command": f"diffeo train {run.path / 'spec.yaml'}"},
        unit="bits/dim" if isinstance(run.data, Dataset) and len(run.data.shapes["x"]) == 3 else None,
    )


def _make_evaluators(spec: Spec) -> list[Evaluator]:
    return [make(config, at=("evaluators", index)) for index, config in enumerate(spec.evaluators)]


def _check_evaluators(spec: Spec, evaluators: Sequence[Evaluator], model: Any, data: Any) -> None:
    """Raise for the first evaluator that cannot measure this model on these data."""
    for index, evaluator in enumerate(evaluators):
        try:
            evaluator.check(model, data)
        except ValueError as error:
            place = ("evaluators", index, installed().of(spec.evaluators[index]).name)
            raise BuildError(str(error), place) from error


def _versions() -> dict[str, str]:
    packages = {plugin.package: plugin.package_version for plugin in installed().plugins if not plugin.error}
    return packages | {
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
    }


def _make_data(spec: Spec, *, prepare: bool = True) -> Any:
    registered = installed().of(spec.data)
    is_dataset = "dataset" in registered.component.kind
    data = make(spec.data, *((spec.seed,) if is_dataset else ()), at="data")
    if prepare:
        _prepare_data(spec, data)
    return data


def _prepare_data(spec: Spec, data: Any) -> None:
    """Let a data set look at its files; what is wrong with them gets the place of the data in the spec."""
    if isinstance(data, Dataset):
        try:
            data.prepare()
        except DiffeoError as error:
            raise BuildError(str(error), ("data", installed().of(spec.data).name)) from error


def _shapes(data: Any) -> tuple[Any, Any]:
    return data.shapes["x"], data.shapes.get("context")


def _new_folder(spec: Spec, out: str | os.PathLike[str] | None) -> Path:
    if out is None:
        stem = spec.origin.name if spec.origin is not None else "run"
        taken: Callable[[int], bool] = lambda n: Path("runs", f"{stem}-{n}").exists()  # noqa: E731
        return Path("runs", f"{stem}-{next(n for n in range(1, 10**9) if not taken(n))}")
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DiffeoError(
            f"{folder}: expected a folder that does not exist yet; got one with files in it: choose another --out, or "
            f"continue that run with: diffeo train --resume {folder}"
        )
    return folder


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoints").mkdir()
    except OSError as error:
        raise DiffeoError(
            f"{folder}: expected a place where a run folder can be written; got {error.strerror}"
        ) from error


def _spec_file(folder: Path) -> Path:
    if not (folder / "spec.yaml").exists():
        raise DiffeoError(f"{folder}: expected a run folder with a spec.yaml; got none")
    return folder / "spec.yaml"


def _step_of(path: Path) -> int:
    folder = checkpoints.newest(path / "checkpoints") if path.is_dir() and (path / "checkpoints").is_dir() else path
    return next((int(m[1]) for p in (folder, *folder.parents) if (m := checkpoints.NAME.fullmatch(p.name))), 0)
