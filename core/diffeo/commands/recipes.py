"""``diffeo recipes``."""

from pathlib import Path

import click

from diffeo.commands.files import whole_file
from diffeo.commands.output import print_table
from diffeo_registry import DiffeoError, installed
from diffeo_registry.recipes import find_recipe

__all__ = ["recipes"]


@click.group(invoke_without_command=True)
@click.pass_context
def recipes(context: click.Context) -> None:
    """Complete specs that come with the installed packages; `diffeo train NAME` runs one."""
    if context.invoked_subcommand is None:
        rows = [(one.name, one.package, one.recipe.summary, one.recipe.source) for one in installed().recipes]
        print_table(("name", "package", "summary", "source"), rows)


@recipes.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def copy(name: str, file: Path) -> None:
    """Write the recipe NAME to FILE (`-`: print it), as the start of a spec of your own."""
    text = find_recipe(name, installed()).read_text()
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    if file.exists():
        raise DiffeoError(f"{file}: expected a file that does not exist yet; got one")
    with whole_file(file) as aside:
        aside.write_text(text, encoding="utf-8")
    click.echo(f"wrote {file}; train it with: diffeo train {file}")
