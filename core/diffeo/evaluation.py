"""Evaluators one by one, and the report they end in."""

import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from diffeo.building import make
from diffeo.config_spec import Spec
from diffeo.dataset import Dataset
from diffeo.evaluator import Evaluator
from diffeo.randomness import derive, seeded
from diffeo.report import write_report
from diffeo.run import Run
from diffeo.summary import describe_model
from diffeo.world import World
from diffeo_registry import BuildError, installed

__all__ = ["check_evaluators", "evaluate_run", "make_evaluators"]


def make_evaluators(spec: Spec) -> list[Evaluator]:
    """The evaluators a spec names."""
    return [make(config, at=("evaluators", index)) for index, config in enumerate(spec.evaluators)]


def check_evaluators(spec: Spec, evaluators: Sequence[Evaluator], model: Any, data: Any) -> None:
    """Raise for the first evaluator that cannot measure this model on these data."""
    for index, evaluator in enumerate(evaluators):
        try:
            evaluator.check(model, data)
        except ValueError as error:
            place = ("evaluators", index, installed().of(spec.evaluators[index]).name)
            raise BuildError(str(error), place) from error


def evaluate_run(run: Run, world: World) -> None:
    """Measure and draw: numbers into ``run.metrics`` and report/metrics.json, pictures into report/, then the page."""
    run.model.eval()
    with torch.no_grad():
        for index, evaluator in enumerate(make_evaluators(run.spec)):
            name = installed().of(run.spec.evaluators[index]).name
            seed = derive(run.spec.seed, "evaluator", name, index)
            results = _evaluate(evaluator, run, name, seed, world)
            run.metrics |= {f"{name}/{key}": float(value) for key, value in results.items()}
    world.on_main(lambda: _write_results(run))


def _evaluate(evaluator: Evaluator, run: Run, name: str, seed: int, world: World) -> Mapping[str, float]:
    """Call an evaluator in the processes that take part; all of them get its numbers."""
    evaluator.world = world

    def call(folder: Path) -> Mapping[str, float]:
        folder.mkdir(parents=True, exist_ok=True)
        with seeded(seed):
            results: Mapping[str, float] = evaluator(run.model, run.data, folder)
        if not any(folder.iterdir()):
            folder.rmdir()
        return results

    def call_aside() -> Mapping[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            return call(Path(folder, name))

    here = run.path / "report" / name
    if evaluator.is_sharded:
        return world.together(lambda: call(here) if world.is_main else call_aside())
    results = world.on_main(lambda: call(here))
    numbers = {key: float(value) for key, value in (results or {}).items()}
    return json.loads(bytes(world.broadcast(json.dumps(numbers).encode())))


def _write_results(run: Run) -> None:
    report = run.path / "report"
    report.mkdir(exist_ok=True)
    (report / "metrics.json").write_text(json.dumps(run.metrics, indent=1) + "\n")
    write_report(
        run.path,
        structure=describe_model(run.model),
        versions=_versions(),
        facts={"seed": str(run.spec.seed), "command": f"diffeo train {run.path / 'spec.yaml'}"},
        unit="bits/dim" if isinstance(run.data, Dataset) and len(run.data.shapes["x"]) == 3 else None,
    )


def _versions() -> dict[str, str]:
    packages = {plugin.package: plugin.package_version for plugin in installed().plugins if not plugin.error}
    threads = torch.get_num_threads()
    return packages | {
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {threads} thread{'' if threads == 1 else 's'}",
    }
