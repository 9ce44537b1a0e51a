"""Draws as arrays with names: NumPy's .npz, text, and NetCDF for ArviZ."""

import csv
import importlib
import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

import diffeo

__all__ = ["NAMELESS", "Entries", "can_write_netcdf", "titles", "write_csv", "write_netcdf", "write_npz"]

Arrays = Mapping[str, npt.NDArray[Any]]
"""Name -> (n, *shape)."""

Entries = Mapping[str, Sequence[str]]
"""Name of an array (n, k) -> the names of its k entries."""

NAMELESS: Entries = MappingProxyType({})


def write_npz(arrays: Arrays, path: Path) -> None:
    """One array per name."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def write_csv(arrays: Arrays, path: Path, entries: Entries = NAMELESS) -> None:
    """One row per draw; an array of rank 1 is one column of its name, any other has its entries named or numbered."""
    tables = {name: values.reshape(len(values), -1) for name, values in arrays.items()}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            title
            for name, table in tables.items()
            for title in titles(name, arrays[name].ndim, table.shape[1], entries)
        )
        for rows in zip(*tables.values(), strict=True):
            # str() of a numpy number has as many digits as tell it apart from its neighbours, repr() of a float more.
            writer.writerow(str(value) for row in rows for value in row)


def titles(name: str, rank: int, columns: int, entries: Entries = NAMELESS) -> list[str]:
    """The names of the columns that hold an array of this rank in a table."""
    if rank == 1:
        return [name]
    return (
        [f"{name}[{entry}]" for entry in entries[name]] if name in entries else [f"{name}{n}" for n in range(columns)]
    )


def can_write_netcdf() -> bool:
    """Whether ArviZ is installed, with a library that writes its files."""
    found = importlib.util.find_spec
    return found("arviz") is not None and (found("h5netcdf") is not None or found("netCDF4") is not None)


def write_netcdf(arrays: Arrays, path: Path, entries: Entries = NAMELESS) -> None:
    """A file that ``arviz.from_netcdf`` reads: the group ``posterior``, all draws as one chain."""
    chain = {name: values[None] for name, values in arrays.items()}
    dims = {name: [f"{name}_entry"] for name in entries}
    named: dict[str, Any] = {"coords": {f"{name}_entry": list(names) for name, names in entries.items()}, "dims": dims}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # ArviZ announces its next version when it is imported
        arviz: Any = importlib.import_module("arviz")
    attributes = {"inference_library": "diffeo", "inference_library_version": diffeo.__version__}
    if int(arviz.__version__.split(".")[0]) < 1:
        data = arviz.from_dict(posterior=chain, posterior_attrs=attributes, **named)
    else:
        data = arviz.from_dict({"posterior": chain}, attrs={"posterior": attributes}, **named)
    data.to_netcdf(str(path))
