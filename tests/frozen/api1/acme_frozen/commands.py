"""A command."""

import click


@click.command()
@click.option("--times", default=1)
def frozen(times):
    """Say it."""
    click.echo("frozen " * times)
