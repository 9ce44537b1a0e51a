"""``diffeo check``."""

import warnings

import click

import diffeo
from diffeo.commands.output import print_table

__all__ = ["check"]


@click.command()
@click.argument("spec")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the spec; repeatable.")
def check(spec: str, overrides: tuple[str, ...]) -> None:
    """Validate SPEC, a file or the name of a recipe, build its model and show the shape of every step.

    Nothing is trained or written. Data that are not there are a warning.
    """
    loaded = diffeo.load_spec(spec, overrides=overrides)  # before torch is imported: mistakes are told at once
    plan = diffeo.check(loaded)
    rows = [
        ("  " * row.depth + row.name, _shape(row.in_shape), _shape(row.out_shape), f"{row.parameters:,}")
        for row in plan.rows
    ]
    if rows:  # none where missing data would say the shape
        print_table(("part", "in", "out", "parameters"), rows, right={3})
        click.echo(f"\n{sum(row.parameters for row in plan.rows if row.depth == 0):,} parameters")
    for warning in plan.warnings:
        warnings.warn(warning, stacklevel=1)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else str(shape)
