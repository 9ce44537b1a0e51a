"""One spec with many seeds: a run each, and how their results scatter."""

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from diffeo import checkpoints
from diffeo.config_spec import Spec
from diffeo.run import Run, RunError
from diffeo.run_folder import new_folder
from diffeo.run_metrics import evaluated
from diffeo.running import resume, train
from diffeo.seed_batch import BatchRefusedError
from diffeo.seed_names import seed_folders
from diffeo.seed_together import train_batch
from diffeo.spec_loading import load_spec, reseeded

__all__ = ["SeedRuns", "Spread", "resume_seeds", "train_seeds"]


@attrs.frozen
class Spread:
    """A number over several seeds: mean, sample standard deviation (n - 1; NaN of a single one) and how many there are."""

    mean: float
    sd: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of given values."""
        sd = statistics.stdev(values) if len(values) > 1 else math.nan
        return cls(statistics.fmean(values), sd, len(values))


@attrs.frozen
class SeedRuns:
    """Runs of one spec that differ in their seed, below ``path`` as ``seed-0``, ``seed-1``, ..."""

    path: Path
    outcomes: Mapping[int, str]
    """Seed -> finished, stopped, or failed."""
    failures: Mapping[int, str]
    """Seed -> why it failed."""
    metrics: Mapping[str, Spread]
    """Metric of the evaluators -> its spread over the seeds that finished."""
    signal: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether every seed is."""
        return all(outcome == "finished" for outcome in self.outcomes.values())


def train_seeds(
    spec: Spec,
    seeds: Sequence[int],
    out: str | os.PathLike[str] | None = None,
    *,
    until: int | None = None,
    show_progress: bool = True,
) -> SeedRuns:
    """Train a spec once for each seed, into ``seed-<n>`` below ``out``, and summarise what the evaluators measured.

    Small models are trained together, as one batch of models; the result is that of separate runs, to rounding. Others, and
    those whose steps draw noise, are trained one after another. A seed that fails does not stop the others.
    """
    path = new_folder(spec, out)
    specs = {seed: reseeded(spec, seed) for seed in seeds}
    return _run(specs, path, until, show_progress=show_progress)


def resume_seeds(path: str | os.PathLike[str], *, until: int | None = None, show_progress: bool = True) -> SeedRuns:
    """Go on with all seeds of a folder; those that are finished stay as they are."""
    specs = {seed: load_spec(folder / "spec.yaml") for seed, folder in seed_folders(Path(path)).items()}
    return _run(dict(sorted(specs.items())), Path(path), until, show_progress=show_progress)


def _run(specs: Mapping[int, Spec], path: Path, until: int | None, *, show_progress: bool) -> SeedRuns:
    left = {seed: spec for seed, spec in specs.items() if not _is_finished(path / f"seed-{seed}", spec)}
    outcomes, failures = {seed: "finished" for seed in specs if seed not in left}, dict[int, str]()
    signal: int | None = None
    runs: Mapping[int, Run | RunError]
    try:
        runs = train_batch(left, path, until, show_progress=show_progress)
    except BatchRefusedError as refusal:
        if show_progress and len(left) > 1 and os.environ.get("RANK", "0") == "0":
            print(f"one seed after another: {refusal}")
        runs = _one_by_one(left, path, until, show_progress=show_progress)
    for seed, run in runs.items():
        if isinstance(run, RunError):
            outcomes[seed], failures[seed] = "failed", str(run)
        else:
            outcomes[seed], signal = run.outcome, run.signal or signal
    outcomes |= {seed: "stopped" for seed in specs if seed not in outcomes}
    done = [evaluated(path / f"seed-{seed}") for seed in specs if outcomes[seed] == "finished"]
    result = SeedRuns(path, dict(sorted(outcomes.items())), failures, _spreads(done), signal)
    _write_summary(result)
    return result


def _one_by_one(
    specs: Mapping[int, Spec], path: Path, until: int | None, *, show_progress: bool
) -> dict[int, Run | RunError]:
    """A run for each seed, until a signal stops one of them."""
    runs: dict[int, Run | RunError] = {}
    for seed, spec in specs.items():
        folder = path / f"seed-{seed}"
        try:
            if (folder / "spec.yaml").exists():
                run = resume(folder, until=until, show_progress=show_progress)
            else:
                run = train(spec, folder, until=until, show_progress=show_progress)
        except RunError as error:
            runs[seed] = error
            continue
        runs[seed] = run
        if run.signal is not None:
            break
    return runs


def _is_finished(folder: Path, spec: Spec) -> bool:
    """Whether a seed has been trained to its last step and evaluated."""
    if not (folder / "report" / "metrics.json").exists():
        return False
    steps = [int(match[1]) for path in checkpoints.list_checkpoints(folder / "checkpoints")
             if (match := checkpoints.NAME.fullmatch(path.name))]  # fmt: skip
    return bool(steps) and max(steps) >= spec.trainer.steps


def _spreads(runs: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """The spread of every metric that all the runs have."""
    names = [name for name in (runs[0] if runs else {}) if all(name in metrics for metrics in runs)]
    return {name: Spread.of([metrics[name] for metrics in runs]) for name in names}


def _write_summary(result: SeedRuns) -> None:
    metrics: dict[str, dict[str, Any]] = {
        name: {"mean": one.mean, "sd": None if math.isnan(one.sd) else one.sd, "count": one.count}
        for name, one in result.metrics.items()
    }
    content = {
        "outcomes": {str(seed): outcome for seed, outcome in result.outcomes.items()},
        "failures": {str(seed): text for seed, text in result.failures.items()},
        "metrics": metrics,
    }
    if os.environ.get("RANK", "0") == "0" and result.path.is_dir():
        (result.path / "summary.json").write_text(json.dumps(content, indent=1) + "\n")
