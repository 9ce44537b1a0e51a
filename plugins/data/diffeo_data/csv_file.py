"""A text file of numbers, one example a line."""

import csv
import json
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffeo_data.config import Csv
from diffeo_data.errors import DataFileError
from diffeo_data.tables import DTYPES, TableDataset, existing_file, first_not_finite
from diffeo_registry import DiffeoError

__all__ = ["CsvDataset"]

Line = tuple[int, list[str]]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@contextmanager
def _lines(path: Path, delimiter: str) -> Generator[Iterator[Line]]:
    """The lines that are not empty, each with its number from 1."""
    with existing_file(path).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            yield ((reader.line_num, row) for row in reader if row)
        except UnicodeDecodeError as error:
            raise DataFileError(
                f"{path}: expected text in UTF-8; got other bytes after line {reader.line_num}"
            ) from error
        except csv.Error as error:
            raise DataFileError(
                f"{path}:{reader.line_num}: expected values between {delimiter!r}; got {error}"
            ) from error


def _other_delimiter(text: str) -> str:
    """A hint where a value is a row of numbers by another delimiter."""
    fits = (character for character in ";\t|, " if character in text and all(map(_is_number, text.split(character))))
    found = next(fits, None)
    return "" if found is None else f" (`delimiter: {json.dumps(found)}` would make numbers of it)"


def _column_names(path: Path, first: Line | None, header: bool | None) -> tuple[list[str], bool]:
    """The names of the columns and whether the first line held them; without a header they are "1", "2", ..."""
    if first is None:
        raise DataFileError(f"{path}: expected rows of numbers; got an empty file")
    number, row = first
    are_numbers = [_is_number(text) for text in row]
    if header is None and any(are_numbers) and not all(are_numbers):
        odd = row[are_numbers.index(False)]
        raise DataFileError(
            f"{path}:{number}: expected names or numbers only in the first line; got both, {odd!r} for one "
            "(`header: true` or `header: false` says which they are)"
        )
    has_header = not any(are_numbers) if header is None else header
    names = [text.strip() for text in row] if has_header else [str(i + 1) for i in range(len(row))]
    for name in names:
        if names.count(name) > 1:
            raise DataFileError(f"{path}:{number}: expected columns of different names; got {name!r} twice")
    return names, has_header


def _places(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    for name in wanted:
        if name not in names:
            there = ", ".join(map(repr, names))
            raise DataFileError(f"{path}: expected a column {name!r}; got only {there}")
    return [names.index(name) for name in wanted]


class CsvDataset(TableDataset):
    """Columns of a delimited text file as events of shape (number of columns,), in the order in which they are named.

    Without ``columns`` these are all columns that are neither context nor label; then the first line of the file is
    read when the data set is made, since the shape follows from it. Every value must be a number that is finite in
    ``dtype``.
    """

    def __init__(self, config: Csv, seed: int) -> None:
        if len(config.delimiter) != 1:
            hint = ' (a tab is "\\t", in double quotes)' if config.delimiter == "\\t" else ""
            raise DiffeoError(f"expected a delimiter of one character; got {config.delimiter!r}{hint}")
        self.config = config
        columns = self._all_columns() if config.columns is None else config.columns
        self.wanted = (*columns, *config.context, *(() if config.label is None else (config.label,)))
        for name in self.wanted:
            if self.wanted.count(name) > 1:
                raise DiffeoError(f"expected each column once in columns, context and label; got {name!r} twice")
        if not columns:
            raise DiffeoError("expected at least one column of data; got none")
        shapes: dict[str, tuple[int, ...]] = {"x": (len(columns),)}
        if config.context:
            shapes["context"] = (len(config.context),)
        if config.label is not None:
            shapes["y"] = ()
        super().__init__(shapes, seed, val=config.val, test=config.test)

    def _all_columns(self) -> tuple[str, ...]:
        with _lines(self.config.path, self.config.delimiter) as lines:
            names, _ = _column_names(self.config.path, next(lines, None), self.config.header)
        return tuple(name for name in names if name not in (*self.config.context, self.config.label))

    def read(self) -> dict[str, Tensor]:
        dtype = DTYPES[self.config.dtype]
        values, numbers = self._parse()
        table = torch.from_numpy(np.frombuffer(values, dtype=np.float64).reshape(-1, len(self.wanted)).copy())
        num_x, num_context = self.shapes["x"][0], len(self.config.context)
        rows = {"x": table[:, :num_x].to(dtype)}
        if num_context:
            rows["context"] = table[:, num_x : num_x + num_context].to(dtype)
        for name, offset in (("x", 0), ("context", num_x)):
            if name in rows and (bad := first_not_finite(rows[name])) is not None:
                place = self._place(numbers[bad[0]], offset + bad[1])
                raise DataFileError(
                    f"{place}: expected a finite {self.config.dtype} number; got {table[bad[0], offset + bad[1]]:g}"
                )
        if self.config.label is not None:
            rows["y"] = self._labels(table[:, -1], numbers)
        return rows

    def _parse(self) -> "tuple[array[float], array[int]]":
        """The wanted values of all rows, one row after the other, and the number of each row's line."""
        path = self.config.path
        values, numbers = array("d"), array("q")
        with _lines(path, self.config.delimiter) as lines:
            first = next(lines, None)
            names, has_header = _column_names(path, first, self.config.header)
            places = _places(path, names, self.wanted)
            for number, row in lines if has_header or first is None else chain([first], lines):
                if len(row) != len(names):
                    raise DataFileError(f"{path}:{number}: expected {len(names)} values; got {len(row)}")
                try:
                    values.extend([float(row[place]) for place in places])
                except ValueError:
                    column = next(i for i, place in enumerate(places) if not _is_number(row[place]))
                    got = row[places[column]].strip()
                    raise DataFileError(
                        f"{self._place(number, column)}: expected a number; got {got!r}{_other_delimiter(got)}"
                    ) from None
                numbers.append(number)
        if not numbers:
            raise DataFileError(f"{path}: expected rows of numbers; got only the names of columns")
        return values, numbers

    def _labels(self, column: Tensor, numbers: Sequence[int]) -> Tensor:
        wrong = ~((column >= 0) & (column < 2**31) & (column == column.floor()))
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            place = self._place(numbers[row], len(self.wanted) - 1)
            raise DataFileError(f"{place}: expected a class label 0, 1, 2, ...; got {column[row]:g}")
        return column.to(torch.int64)

    def _place(self, number: int, column: int) -> str:
        return f"{self.config.path}:{number}: column {self.wanted[column]!r}"
