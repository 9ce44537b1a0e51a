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
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an evaluator; repeatable.")
def evaluate(run: Path, overrides: tuple[str, ...]) -> None:
    """Run the evaluators of RUN again, a run folder or a checkpoint in one, and write its report anew.

    \b
    diffeo evaluate runs/spec-1
    diffeo evaluate runs/spec-1 --set evaluators[0].likelihood.num_samples=5000
    """
    metrics = diffeo.evaluate(run, overrides=overrides)
    if is_main_process():
        print_results(run_folder(run), metrics)
