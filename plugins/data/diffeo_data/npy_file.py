"""Arrays in NumPy's own formats, read without unpickling anything."""

import zipfile
import zlib
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffeo_data.config import Npy
from diffeo_data.errors import DataFileError
from diffeo_data.tables import DTYPES, TableDataset, existing_file, first_not_finite
from diffeo_registry import DiffeoError

__all__ = ["NpyDataset"]


def _default_name(path: Path, names: list[str]) -> str:
    if len(names) != 1:
        raise DiffeoError(f"{path}: expected `x` to name one of the arrays {', '.join(map(repr, names))}; got none")
    return names[0]


@contextmanager
def _open(path: Path, name: str | None) -> Generator[IO[bytes]]:
    """The bytes of one array: a .npy file itself, or the member ``name`` of a .npz file (None: its only one)."""
    file = existing_file(path)
    with ExitStack() as stack:
        if not zipfile.is_zipfile(file):
            if name is not None:
                raise DiffeoError(
                    f"{path}: expected a .npz file, since an array named {name!r} is wanted; got a single array"
                )
            yield stack.enter_context(file.open("rb"))
            return
        archive = stack.enter_context(zipfile.ZipFile(file))
        names = sorted(member.removesuffix(".npy") for member in archive.namelist() if member.endswith(".npy"))
        if not names:
            raise DataFileError(f"{path}: expected arrays, as NumPy's savez writes them; got an archive without any")
        name = _default_name(path, names) if name is None else name
        if name not in names:
            raise DiffeoError(f"{path}: expected an array named {name!r}; got {', '.join(map(repr, names))}")
        yield stack.enter_context(archive.open(f"{name}.npy"))


@contextmanager
def _readable(path: Path) -> Generator[None]:
    """Errors of NumPy about a damaged file, with the file's name."""
    try:
        yield
    except DiffeoError:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataFileError(
            f"{path}: expected a complete .npy or .npz file of numbers; got one that NumPy refuses ({error})"
        ) from error


def _shape(path: Path, name: str | None) -> tuple[int, ...]:
    """Shape of one array, from its header."""
    with _readable(path), _open(path, name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, _ = read(file)
    if not shape:
        raise DataFileError(f"{_called(path, name)}: expected an array (N, ...) of examples; got a single number")
    if 0 in shape:
        raise DataFileError(f"{_called(path, name)}: expected examples with numbers in them; got shape {shape}")
    return shape


def _array(path: Path, name: str | None) -> NDArray[Any]:
    with _readable(path), _open(path, name) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if array.dtype.kind not in "fiub":
        raise DataFileError(f"{_called(path, name)}: expected real numbers; got {array.dtype}")
    return array


def _called(path: Path, name: str | None) -> str:
    return str(path) if name is None else f"{path}: {name}"


def _as_floats(called: str, array: NDArray[Any], dtype: torch.dtype) -> Tensor:
    values = torch.from_numpy(array.astype(np.float64)).to(dtype)
    if (bad := first_not_finite(values)) is not None:
        raise DataFileError(
            f"{called}{list(bad)}: expected a finite {str(dtype).removeprefix('torch.')} number; got {array[bad]}"
        )
    return values


def _as_integers(called: str, array: NDArray[Any], highest: int, dtype: torch.dtype) -> Tensor:
    wrong = ~((array >= 0) & (array <= highest) & (np.floor(array) == array))
    if wrong.any():
        bad = [int(i) for i in np.argwhere(wrong)[0]]
        raise DataFileError(f"{called}{bad}: expected a whole number in 0..{highest}; got {array[tuple(bad)]}")
    return torch.from_numpy(array.astype(np.int64)).to(dtype)


class NpyDataset(TableDataset):
    """The rows of an array (N, *shape) as events of shape ``shape``.

    The header of the file is read when the data set is made, since the shape follows from it, the numbers later.
    Indices in messages count from 0, as NumPy does.
    """

    def __init__(self, config: Npy, seed: int) -> None:
        self.config = config
        shapes = {"x": _shape(config.path, config.x)[1:]}
        if config.context is not None:
            shapes["context"] = _shape(config.path, config.context)[1:]
        if config.label is not None:
            shapes["y"] = _shape(config.path, config.label)[1:]
            if shapes["y"] != ():
                got = ", ".join(["N", *map(str, shapes["y"])])
                raise DataFileError(f"{config.path}: {config.label}: expected labels of shape (N,); got ({got})")
        super().__init__(shapes, seed, val=config.val, test=config.test)

    def read(self) -> dict[str, Tensor]:
        config, path = self.config, self.config.path
        array, called, dtype = _array(path, config.x), _called(path, config.x), DTYPES[config.dtype]
        is_integer = dtype == torch.uint8
        rows = {"x": _as_integers(called, array, 255, dtype) if is_integer else _as_floats(called, array, dtype)}
        if config.context is not None:
            floating = torch.float32 if is_integer else dtype
            rows["context"] = _as_floats(_called(path, config.context), _array(path, config.context), floating)
        if config.label is not None:
            labels = _array(path, config.label)
            rows["y"] = _as_integers(_called(path, config.label), labels, 2**31 - 1, torch.int64)
        for name, values in rows.items():
            if len(values) != len(rows["x"]):
                raise DataFileError(
                    f"{path}: expected as many rows in {name} as in x, {len(rows['x'])}; got {len(values)}"
                )
        return rows
