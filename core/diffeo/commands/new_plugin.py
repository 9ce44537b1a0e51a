"""``diffeo new-plugin``."""

import shlex
from pathlib import Path

import click

from diffeo.commands.plugin_files import STARTS, write_package
from diffeo.commands.plugin_names import check_component, check_package, check_start
from diffeo_registry import installed
from diffeo_registry.wording import with_article

__all__ = ["new_plugin"]


@click.command("new-plugin")
@click.argument("package")
@click.option("--kind", default="bijector", show_default=True, metavar="KIND", help=f"One of {', '.join(STARTS)}.")
@click.option("--name", help="Of the component, as a spec will write it.  [default: that of the example]")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The new folder.  [default: ./PACKAGE]")
def new_plugin(package: str, kind: str, name: str | None, out: Path | None) -> None:
    """Write the package PACKAGE (`acme-flows`), a plugin with one component that works, is tested and is yours to change.

    \b
    diffeo new-plugin acme-flows
    diffeo new-plugin acme-flows --kind network --name gated
    """
    registry = installed()
    start = STARTS[check_start(kind, STARTS)]
    check_package(package)
    name = check_component(start.name if name is None else name, registry)
    folder = Path(package) if out is None else out
    write_package(folder, package, start, name)
    click.echo(f"wrote {folder}: a package with {with_article(start.kind)}, {name}. Next:\n")
    click.echo(f"pip install -e {shlex.quote(f'{folder}[test]')}")
    click.echo(f"diffeo show {name}")
    click.echo(f"pytest {shlex.quote(str(folder))}")
