"""Data in a file: a NumPy archive or a table."""

import csv
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from torch import Tensor

__all__ = ["require_format", "write_table"]

FORMATS = (".png", ".npz", ".csv")
"""What data can be written as; a picture is drawn by ``diffeo.commands.sample_picture``."""


def require_format(out: Path) -> None:
    """Raise unless the name of a file says how data are to be written."""
    if out.suffix not in FORMATS:
        raise click.UsageError(f"expected -o with one of {', '.join(FORMATS)}; got {out.name}")


def write_table(x: Tensor, context: Tensor | None, path: Path, *, as_csv: bool) -> None:
    """Write x ``(N, *event_shape)`` and, where there is one, a context ``(N, *context_shape)`` as .npz or .csv."""
    tables: dict[str, Any] = {"x": x.cpu().numpy()}
    if context is not None:
        tables["context"] = context.cpu().numpy()
    if as_csv:
        _write_csv({name: table.reshape(len(table), -1) for name, table in tables.items()}, path)
        return
    with path.open("wb") as file:
        np.savez_compressed(file, **tables)


def _write_csv(tables: dict[str, npt.NDArray[Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(f"{name}{column}" for name, table in tables.items() for column in range(table.shape[1]))
        for rows in zip(*tables.values(), strict=True):
            # str() of a numpy number has as many digits as tell it apart from its neighbours, repr() of a float more.
            writer.writerow(str(value) for row in rows for value in row)
