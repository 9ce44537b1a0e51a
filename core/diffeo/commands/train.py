"""``diffeo train``."""

from pathlib import Path
from typing import cast

import click

import diffeo
from diffeo.commands.output import is_main_process
from diffeo.commands.results import print_results
from diffeo.stop_signals import StoppedError

__all__ = ["train"]


@click.command()
@click.argument("spec", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/SPEC-N]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the spec; repeatable.")
@click.option("--until", type=click.IntRange(min=1), metavar="STEP", help="Stop after this step, as if interrupted.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run instead.")
def train(
    spec: str | None, out: Path | None, overrides: tuple[str, ...], until: int | None, resume: Path | None
) -> None:
    """Train SPEC, a file or the name of a recipe, evaluate the model and write a report.

    \b
    diffeo train spec.yaml --set trainer.steps=500
    diffeo train --resume runs/spec-1
    """
    if (spec is None) == (resume is None):
        raise click.UsageError("expected a SPEC, or --resume RUN; got " + ("neither" if spec is None else "both"))
    if resume is not None and (overrides or out is not None):
        raise click.UsageError("expected --resume without --set and --out: a run goes on as it began, where it is")
    try:
        run = (
            _train(spec, out, overrides, until) if spec is not None else diffeo.resume(cast(Path, resume), until=until)
        )
    except StoppedError as stopped:
        click.echo(f"{stopped}{_way_on(stopped.run)}", err=True)
        raise SystemExit(128 + stopped.number) from None
    if not is_main_process():
        pass
    elif run.outcome == "finished":
        print_results(run.path, run.metrics)
    else:
        click.echo(f"stopped at step {run.step}{_way_on(run.path)}")
    if run.signal is not None:
        raise SystemExit(128 + run.signal)


def _train(spec: str, out: Path | None, overrides: tuple[str, ...], until: int | None) -> diffeo.Run:
    loaded = diffeo.load_spec(spec, overrides=overrides)  # before torch is imported: mistakes are told at once
    return diffeo.train(loaded, out, until=until)


def _way_on(run: Path | None) -> str:
    return "" if run is None else f"; go on with: diffeo train --resume {run}"
