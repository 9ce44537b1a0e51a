"""Where the examples of a command come from: a data set in the grammar of a spec, or a file of arrays or of rows."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import click
from torch import Tensor

import diffeo
from diffeo.building import make
from diffeo.commands.sample_table import titles
from diffeo.dataset import Dataset
from diffeo_registry import BuildError, DiffeoError, Document, Slot, installed

__all__ = ["NumberedRows", "Source", "open_source"]

Shape = tuple[int, ...]

FILES = (".npy", ".npz", ".csv")
WHOLE = {"dtype": "float64", "val": 0.0, "test": 0.0}
"""Fields of ``npy`` and ``csv``: every number as it stands in the file, and every example in one split."""


@runtime_checkable
class NumberedRows(Protocol):
    """What a data set of one file may have beyond the protocol: the row numbers of each split."""

    @property
    def splits(self) -> Mapping[str, Tensor]:
        """Split -> the rows of the file in it."""
        ...


class Source(NamedTuple):
    """Examples to be had: a split of a data set."""

    data: Dataset
    split: str


class _InFileOrder(Dataset):
    """All rows of a file as they follow each other, in the shapes of a flow; a .csv holds them flattened."""

    def __init__(self, data: Dataset, rows: Tensor, shapes: Mapping[str, Shape]) -> None:
        super().__init__({**data.shapes, **shapes})
        self.data, self.places = data, rows.argsort()

    def size(self, split: str) -> int:
        return len(self.places)

    def batch(self, split: str, indices: Tensor, seeds: Tensor | None = None) -> dict[str, Tensor]:
        batch = self.data.batch(split, self.places[indices])
        return {name: values.reshape(-1, *self.shapes[name]) for name, values in batch.items()}


def open_source(text: str, flow: Any, *, split: str | None, seed: int) -> Source:
    """The examples that ``text`` means, once they are known to fit the flow.

    Names ending in .npy, .npz and .csv are files: all of their examples are taken, in their order. In a .npz they are the
    array ``x`` (or the only one), with ``context`` and ``y`` beside it; in a .csv a context is in the columns ``context0``,
    ``context1``, ... as ``diffeo sample`` writes it, or in ``context`` if it is a number.
    """
    path = Path(text)
    if path.suffix in FILES:
        if split is not None:
            raise click.UsageError("expected --split for a data set only; got it for a file, all of which is taken")
        source = Source(_open_file(path, flow), "train")
    elif path.is_file():
        raise click.UsageError(f"expected a data set, or a file with one of {', '.join(FILES)}; got {text}")
    else:
        source = Source(_open_spec(text, seed), split or "test")
    _require_fit(text, source.data.shapes, flow)
    return source


def _open_spec(text: str, seed: int) -> Dataset:
    config = Document.parse(text, "DATA").structure(Slot("dataset"), registry=installed())
    data: Dataset = make(config, seed)
    data.prepare()
    return data


def _open_file(path: Path, flow: Any) -> Dataset:
    fields = {"path": str(path), **WHOLE, **_parts(path, flow.context_shape)}
    try:
        data: Dataset = diffeo.build("dataset", {"csv" if path.suffix == ".csv" else "npy": fields}, seed=0)
    except BuildError as error:
        raise DiffeoError(error.message) from error
    data.prepare()
    assert isinstance(data, NumberedRows), "the file data sets of diffeo-data number their rows"
    wanted: dict[str, Shape] = {"x": tuple(flow.event_shape), "context": flow.context_shape or ()}
    flat = [name for name, shape in wanted.items() if data.shapes.get(name) == (math.prod(shape),)]
    return _InFileOrder(data, data.splits["train"], {name: wanted[name] for name in flat if path.suffix == ".csv"})


def _parts(path: Path, context_shape: Shape | None) -> dict[str, Any]:
    """Fields that name what a file holds besides x, as far as its name and its list of contents tell."""
    if path.suffix == ".csv":
        return {
            "context": []
            if context_shape is None
            else titles("context", 1 + len(context_shape), math.prod(context_shape))
        }
    names = _names(path)
    parts = {"x": "x", "label": "y"} | ({} if context_shape is None else {"context": "context"})
    return {field: name for field, name in parts.items() if name in names}


def _names(path: Path) -> list[str]:
    """The arrays of a .npz; none of what is something else, which its data set then says."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        return [member.removesuffix(".npy") for member in archive.namelist()]


def _require_fit(text: str, shapes: Mapping[str, Shape], flow: Any) -> None:
    event_shape, wanted, given = tuple(flow.event_shape), flow.context_shape, shapes.get("context")
    if shapes["x"] != event_shape:
        raise DiffeoError(f"{text}: expected data of shape {event_shape}, which this flow models; got {shapes['x']}")
    if given != wanted:
        expected = "no context, for this flow takes none" if wanted is None else f"a context of shape {wanted}"
        raise DiffeoError(f"{text}: expected {expected}; got {'none' if given is None else f'one of shape {given}'}")
