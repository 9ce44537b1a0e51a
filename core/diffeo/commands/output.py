"""Tables: drawn in a terminal, plain aligned columns where a program or a file reads along."""

import os
import sys
from collections.abc import Collection, Sequence

import click

__all__ = ["is_main_process", "print_table"]


def is_main_process() -> bool:
    """Whether this process, of those that torchrun may have started, is the one that talks to the user."""
    return os.environ.get("RANK", "0") == "0"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> None:
    """Print rows under a header; the columns in ``right`` are aligned to the right."""
    if sys.stdout.isatty():
        _print_rich(header, rows, right)
        return
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _print_rich(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    for column, name in enumerate(header):
        # The first column is what a reader looks for, and indented names must not be broken; nothing is cut off elsewhere.
        justify = "right" if column in right else "left"
        table.add_column(name, justify=justify, no_wrap=column == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
