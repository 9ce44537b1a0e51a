"""``diffeo evaluate``."""

from pathlib import Path

import click

import diffeo
from diffeo.commands.output import is_main_process
from diffeo.commands.results import print_results
from diffeo.run_folder import run_folder

__all__ = ["evaluate"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def evaluate(run: Path) -> None:
    """Run the evaluators of RUN again, a run folder or a checkpoint in one, and write its report anew."""
    metrics = diffeo.evaluate(run)
    if is_main_process():
        print_results(run_folder(run), metrics)
