"""One spec with many seeds: a run each, and how their results scatter."""

import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from diffeo import checkpoints
from diffeo.config_spec import Spec
from diffeo.dataset import Target
from diffeo.given import with_data
from diffeo.launch import joined
from diffeo.progress import tell
from diffeo.run import RunError
from diffeo.run_folder import spec_file
from diffeo.run_metrics import evaluated
from diffeo.running import agree_on_folder
from diffeo.seed_checks import BatchRefusedError
from diffeo.seed_names import seed_folders
from diffeo.seed_together import Results, train_one_by_one, train_together
from diffeo.spec_loading import load_spec, reseeded
from diffeo.stop_signals import StoppedError
from diffeo.world import World
from diffeo_registry import DiffeoError

__all__ = ["SeedRuns", "Spread", "resume_seeds", "train_seeds"]


@attrs.frozen
class Spread:
    """A number over several seeds: mean, sample standard deviation (n - 1; NaN of a single one) and how many there are."""

    mean: float
    sd: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of given values; NaN where one of them is not finite."""
        if not all(map(math.isfinite, values)):
            return cls(math.nan, math.nan, len(values))
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
    seeds: Iterable[int],
    out: str | os.PathLike[str] | None = None,
    *,
    data: Target | None = None,
    until: int | None = None,
    show_progress: bool = True,
) -> SeedRuns:
    """Train a spec once for each seed, into ``seed-<n>`` below ``out``, and summarise what the evaluators measured.

    ``data`` is a target that takes the place of the spec's data, as in ``train``; all seeds have the same.

    Small models are trained together, as one batch of models; the result is that of separate runs, to rounding. Others, and
    those whose steps draw noise, are trained one after another. A seed that fails does not stop the others.
    """
    seeds = list(seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise DiffeoError(f"expected seeds, every one once; got {seeds}")
    spec = with_data(spec, data)
    specs = {seed: reseeded(spec, seed) for seed in seeds}
    with joined(spec.trainer.timeout) as world:
        path, _ = agree_on_folder(spec, out, world)
        return _run(specs, path, world, until, show_progress=show_progress)


def resume_seeds(
    path: str | os.PathLike[str], *, data: Target | None = None, until: int | None = None, show_progress: bool = True
) -> SeedRuns:
    """Go on with all seeds of a folder; those that are finished stay as they are.

    ``data`` is the target of runs whose target came from Python.
    """
    path = Path(path)
    folders = sorted(seed_folders(path).items())
    specs = {seed: with_data(load_spec(spec_file(folder)), data) for seed, folder in folders}
    if not specs:
        raise DiffeoError(f"{path}: expected a folder with runs seed-0, seed-1, ...; got none")
    with joined(next(iter(specs.values())).trainer.timeout) as world:
        return _run(specs, path, world, until, show_progress=show_progress)


def _run(specs: Mapping[int, Spec], path: Path, world: World, until: int | None, *, show_progress: bool) -> SeedRuns:
    folders = {seed: path / f"seed-{seed}" for seed in specs}
    left = _agree_on_rest(specs, folders, world)
    if len(left) < len(specs) and show_progress and world.is_main:
        tell(f"finished already: seed {', '.join(str(seed) for seed in specs if seed not in left)}")
    rest = {folders[seed]: specs[seed] for seed in left}
    try:
        runs = _train(rest, world, until, show_progress=show_progress)
    except StoppedError as stopped:
        raise StoppedError(stopped.number, path if seed_folders(path) else None) from None
    result = _result(path, folders, left, runs)
    world.on_main(lambda: _write_summary(result))
    return result


def _train(specs: Mapping[Path, Spec], world: World, until: int | None, *, show_progress: bool) -> Results:
    try:
        return train_together(specs, world, until, show_progress=show_progress)
    except BatchRefusedError as refusal:
        if len(specs) > 1 and show_progress and world.is_main:
            tell(f"one seed after another: {refusal}")
    return train_one_by_one(specs, world, until, show_progress=show_progress)


def _agree_on_rest(specs: Mapping[int, Spec], folders: Mapping[int, Path], world: World) -> list[int]:
    """The seeds that are not finished, as the main process sees them."""
    left = world.on_main(lambda: [seed for seed, spec in specs.items() if not _is_finished(folders[seed], spec)])
    return json.loads(bytes(world.broadcast(json.dumps(left).encode())))


def _is_finished(folder: Path, spec: Spec) -> bool:
    """Whether a seed has been trained to its last step and evaluated."""
    names = [path.name for path in checkpoints.list_checkpoints(folder / "checkpoints")]
    steps = [int(match[1]) for name in names if (match := checkpoints.NAME.fullmatch(name))]
    return (folder / "report" / "metrics.json").exists() and max(steps, default=0) >= spec.trainer.steps


def _result(path: Path, folders: Mapping[int, Path], left: Sequence[int], runs: Results) -> SeedRuns:
    """What became of every seed; those that training did not get to are stopped."""
    outcomes = {seed: "stopped" if seed in left else "finished" for seed in folders}
    failures: dict[int, str] = {}
    signal: int | None = None
    for seed, folder in folders.items():
        run = runs.get(folder)
        if isinstance(run, RunError):
            outcomes[seed], failures[seed] = "failed", str(run)
        elif run is not None:
            outcomes[seed], signal = run.outcome, run.signal or signal
    done = [evaluated(folder) for seed, folder in folders.items() if outcomes[seed] == "finished"]
    return SeedRuns(path, outcomes, failures, _spreads(done), signal)


def _spreads(runs: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """The spread of every metric that all the runs have."""
    names = [name for name in (runs[0] if runs else {}) if all(name in metrics for metrics in runs)]
    return {name: Spread.of([metrics[name] for metrics in runs]) for name in names}


def _write_summary(result: SeedRuns) -> None:
    """summary.json, replaced as a whole; a number that is not finite becomes null, which JSON can say."""
    content = {
        "outcomes": {str(seed): outcome for seed, outcome in result.outcomes.items()},
        "failures": {str(seed): text for seed, text in result.failures.items()},
        "metrics": {
            name: {k: _finite(v) for k, v in attrs.asdict(one).items()} for name, one in result.metrics.items()
        },
    }
    aside = result.path / ".summary.json.tmp"
    aside.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    aside.replace(result.path / "summary.json")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
