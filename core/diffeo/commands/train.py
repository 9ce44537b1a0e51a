"""``diffeo train``."""

import faulthandler
import signal
import sys
from pathlib import Path

import click

import diffeo
from diffeo.commands.output import is_main_process
from diffeo.commands.results import print_results, print_seeds
from diffeo.seed_names import is_seed_folder, parse_seeds
from diffeo.stop_signals import StoppedError
from diffeo_registry import DiffeoError

__all__ = ["train"]

_STDERR = 2
"""The file descriptor: ``sys.stderr`` may be an object without one."""


def _parse_seeds(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    try:
        return None if text is None else parse_seeds(text)
    except DiffeoError as error:
        raise click.UsageError(str(error), context) from error


@click.command()
@click.argument("spec", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/SPEC-N]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the spec; repeatable.")
@click.option(
    "--seeds",
    metavar="SEEDS",
    callback=_parse_seeds,
    help="Train once for each seed, such as 0-9 or 0,2,5-7, and summarise.",
)
@click.option("--until", type=click.IntRange(min=1), metavar="STEP", help="Stop after this step, as if interrupted.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run instead.")
def train(
    spec: str | None,
    out: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    until: int | None,
    resume: Path | None,
) -> None:
    """Train SPEC, a file or the name of a recipe, evaluate the model and write a report.

    \b
    diffeo train spec.yaml --set trainer.steps=500
    diffeo train --resume runs/spec-1
    diffeo train spec.yaml --seeds 0-9
    """
    if (spec is None) == (resume is None):
        raise click.UsageError("expected a SPEC, or --resume RUN; got " + ("neither" if spec is None else "both"))
    if resume is not None and (overrides or seeds or out is not None):
        raise click.UsageError(
            "expected --resume without --set, --seeds and --out: a run goes on as it began, where it is"
        )
    if seeds is not None and any(override.partition("=")[0].strip() == "seed" for override in overrides):
        raise click.UsageError("expected --seeds without --set seed=...; got both")
    if sys.platform != "win32":  # asked by SIGUSR1, a process says where it is and goes on
        faulthandler.register(signal.SIGUSR1, file=_STDERR)
    try:
        if seeds is not None or (resume is not None and is_seed_folder(resume)):
            print_seeds(_many(spec, resume, out, overrides, seeds or (), until))
        else:
            _print_run(_one(spec, resume, out, overrides, until))
    except StoppedError as stopped:
        click.echo(f"{stopped}{_way_on(stopped.run)}", err=True)
        raise SystemExit(128 + stopped.number) from None


def _one(
    spec: str | None, resume: Path | None, out: Path | None, overrides: tuple[str, ...], until: int | None
) -> diffeo.Run:
    if spec is None:
        assert resume is not None
        return diffeo.resume(resume, until=until)
    loaded = diffeo.load_spec(spec, overrides=overrides)  # before torch is imported: mistakes are told at once
    return diffeo.train(loaded, out, until=until)


def _many(
    spec: str | None,
    resume: Path | None,
    out: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    until: int | None,
) -> diffeo.SeedRuns:
    if spec is None:
        assert resume is not None
        return diffeo.resume_seeds(resume, until=until)
    return diffeo.train_seeds(diffeo.load_spec(spec, overrides=overrides), seeds, out, until=until)


def _print_run(run: diffeo.Run) -> None:
    if is_main_process():
        if run.outcome == "finished":
            print_results(run.path, run.metrics)
        else:
            click.echo(f"stopped at step {run.step}{_way_on(run.path)}")
    if run.signal is not None:
        raise SystemExit(128 + run.signal)


def _way_on(run: Path | None) -> str:
    return "" if run is None else f"; go on with: diffeo train --resume {run}"
