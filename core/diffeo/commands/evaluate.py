"""``diffeo evaluate``."""

from pathlib import Path

import click

import diffeo
from diffeo.commands.results import print_results

__all__ = ["evaluate"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def evaluate(run: Path) -> None:
    """Run the evaluators of RUN again, a run folder or a model.safetensors in one, and write its report anew."""
    metrics = diffeo.evaluate(run)
    folder = run if run.is_dir() else next((path for path in run.parents if (path / "spec.yaml").exists()), run.parent)
    print_results(folder, metrics)
