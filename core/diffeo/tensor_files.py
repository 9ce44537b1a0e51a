"""Safetensors files, read as if a stranger had written them.

    8 bytes     N, little-endian
    N bytes     header in JSON: {name: {dtype, shape, data_offsets: [begin, end]}}, strings under ``__metadata__``
    the rest    data: the tensors one after the other, row-major, without gaps

The header is read alone and checked against the file's size first, so a hostile file costs what parsing ``HEADER_LIMIT``
bytes costs. The checks are those of the format's definition; the library leaves some out (a name that stands twice, sizes
beside a zero that no computer can hold) and needs half a minute for a header of a million empty tensors.

A file is read into memory and never mapped: truncating a mapped file later kills the process that maps it.
"""

import gc
import io
import json
import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import attrs
import torch
from torch import Tensor

from diffeo.durable_files import Part
from diffeo.errors import CheckpointError
from diffeo.strict_json import parse_json
from diffeo_registry.wording import show

__all__ = [
    "DTYPES",
    "Entry",
    "Header",
    "empty_memory",
    "parse_tensors",
    "read_header",
    "read_into_memory",
    "read_tensors",
    "tensor_index",
    "tensor_parts",
    "write_tensors",
]

HEADER_LIMIT = 4 * 2**20
"""Largest header read or written, in bytes. A tensor takes 100 to 200 of them, so there is room for 20,000; the JSON of
this size that is worst to parse (a million empty lists, or objects of one key) takes 0.3 s and 125 MB, of 8 MiB 240 MB."""

LARGEST = 2**40
"""Largest product of sizes, zeros left out: a terabyte of bytes. Only tensors without entries get near it."""

MAX_DIMS = 64
"""Dimensions of a tensor; torch iterates over no more."""

METADATA = "__metadata__"

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


_RANK = {code: rank for rank, code in enumerate(("BOOL", "U8", "I8", "I16", "F16", "BF16", "I32", "F32", "F64", "I64"))}
"""The library's order of dtypes, by size and then by its own list."""


@attrs.frozen
class Entry:
    """What a header says about one tensor; its data are the bytes from ``begin`` to ``end`` of the data part."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@attrs.frozen
class Header:
    """A header whose tensors were found to fill the data part of its file."""

    metadata: dict[str, str]
    tensors: dict[str, Entry]


# Reading


def read_header(path: Path) -> Header:
    """The header of a file; of its data only the size is looked at."""
    with _opened(path) as (file, size):
        return _parse_head(_read_head(file, size, str(path)), size, str(path))


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file."""
    with _opened(path) as (file, size):
        head = _read_head(file, size, str(path))
        header = _parse_head(head, size, str(path))
        file.seek(0)
        data = read_into_memory(file, size)
    if len(data) != size or bytes(data[: len(head)]) != head:
        raise CheckpointError(f"{path}: expected a file that is finished; got one that changed while it was read")
    return header.metadata, _views(data, len(head), header)


def parse_tensors(data: Part, source: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file's contents; ``source`` is what messages call it.

    The tensors are views of ``data`` if it can be written, else of a copy; clone what is to outlive the others.
    """
    head = _read_head(io.BytesIO(bytes(data[: 8 + HEADER_LIMIT])), len(data), source)
    header = _parse_head(head, len(data), source)
    memory = data if isinstance(data, memoryview) and not data.readonly else memoryview(bytearray(data))
    return header.metadata, _views(memory, len(head), header)


def read_into_memory(file: BinaryIO, size: int) -> memoryview:
    """What is left of a file, at most ``size`` bytes."""
    memory = empty_memory(size)
    count = cast(io.BufferedReader, file).readinto(memory)
    return memory[:count]


def empty_memory(size: int) -> memoryview:
    """Memory to read into, which tensors may be views of; a bytearray would be filled with zeros first."""
    return torch.empty(size, dtype=torch.uint8).numpy().data


def tensor_index(beginning: bytes, size: int) -> dict[str, dict[str, Any]]:
    """``{name: {"dtype": "F32", "shape": [2, 3]}}`` of a file of ``size`` bytes that begins so, from its header alone."""
    head = _read_head(io.BytesIO(beginning), size, "tensors")
    header = _parse_head(head, size, "tensors")
    return {name: {"dtype": entry.dtype, "shape": list(entry.shape)} for name, entry in header.tensors.items()}


def _views(data: memoryview, start: int, header: Header) -> dict[str, Tensor]:
    """The tensors of a checked header, in the memory of ``data``: nothing is copied."""
    tensors: dict[str, Tensor] = {}
    for name, entry in header.tensors.items():
        dtype, count = DTYPES[entry.dtype], math.prod(entry.shape)
        flat = torch.frombuffer(data, dtype=dtype, count=count, offset=start + entry.begin) if count else None
        tensors[name] = torch.empty(entry.shape, dtype=dtype) if flat is None else flat.reshape(entry.shape)
    return tensors


# Writing


def write_tensors(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The contents of a file that ``read_tensors`` takes. With one metadata key at most they are the same every time."""
    return b"".join(tensor_parts(tensors, metadata))


def tensor_parts(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> list[Part]:
    """The contents of such a file in pieces, the header first: views of the tensors' own memory, so nothing is copied.

    The bytes are those of the safetensors library, which can only make one string of them: entries sorted by the size of
    their numbers, largest first, then by name; the header padded to a multiple of eight.
    """
    if METADATA in tensors:
        raise ValueError(f"expected tensors by other names than {METADATA!r}, which is the format's own; got one")
    codes = {dtype: code for code, dtype in DTYPES.items()}
    for name, tensor in tensors.items():
        if tensor.dtype not in codes:
            raise ValueError(f"expected {name!r} with a dtype out of {', '.join(DTYPES)}; got {tensor.dtype}")
    header: dict[str, Any] = {} if metadata is None else {METADATA: metadata}
    parts: list[Part] = []
    end = 0
    for name in sorted(tensors, key=lambda name: (-_RANK[codes[tensors[name].dtype]], name)):
        tensor = tensors[name].detach().cpu().contiguous()
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": codes[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
        parts.append(tensor.reshape(-1).view(torch.uint8).numpy().data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT:
        raise ValueError(
            f"expected names, shapes and metadata that take at most {HEADER_LIMIT} bytes, the most that is read; "
            f"got {len(tensors)} tensors that take {len(text)}"
        )
    return [len(text).to_bytes(8, "little") + text, *parts]


# The header


@contextmanager
def _opened(path: Path) -> Generator[tuple[BinaryIO, int]]:
    """A file and its size; a folder or a pipe is refused unopened."""
    try:
        if path.exists() and not path.is_file():
            raise OSError("something that is no file")
        with path.open("rb") as file:
            yield file, file.seek(0, io.SEEK_END)
    except OSError as error:
        raise CheckpointError(f"{path}: expected a safetensors file; got {error.strerror or error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: expected a safetensors file that fits into memory; got a larger one") from error


def _read_head(file: BinaryIO, size: int, source: str) -> bytes:
    """The length of the header and the header."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise CheckpointError(
            f"{source}: expected a safetensors file; got {size} bytes that are none, or a truncated one"
        )
    if length > HEADER_LIMIT:
        raise CheckpointError(
            f"{source}: expected a safetensors file with a header of at most {HEADER_LIMIT} bytes; got one of {length}"
        )
    file.seek(0)
    return file.read(8 + length)


def _parse_head(head: bytes, size: int, source: str) -> Header:
    try:
        with _without_collection():
            return _parse_header(head[8:], size - len(head))
    except ValueError as error:
        raise _damaged(source, error) from error


@contextmanager
def _without_collection() -> Generator[None]:
    """Pause the garbage collector while many small objects are made, none of them garbage: it takes 0.8 s of 0.9."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _damaged(source: str, reason: Exception) -> CheckpointError:
    return CheckpointError(f"{source}: expected a whole safetensors file; got a damaged one ({reason})")


def _parse_header(text: bytes, data_size: int) -> Header:
    content: Any = parse_json(text)
    if not isinstance(content, dict):
        raise ValueError("its header is no mapping")
    by_name = cast(dict[str, Any], content)
    metadata = by_name.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not strings by name")
    tensors: dict[str, Entry] = {}
    for name, value in by_name.items():
        try:
            tensors[name] = _parse_entry(value)
        except ValueError as error:
            raise ValueError(f"tensor {show(name)} {error}") from error
    _check_tiling(tensors, data_size)
    return Header(cast(dict[str, str], metadata), tensors)


def _parse_entry(value: Any) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError("has other keys than dtype, shape and data_offsets")
    fields = cast(dict[str, Any], value)
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"has a dtype that is none of {', '.join(DTYPES)}")
    if not _are_sizes(shape) or len(shape) > MAX_DIMS or not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError("has a shape or data_offsets that are no lists of sizes")
    entry = Entry(dtype, tuple(shape), *offsets)
    if math.prod(size for size in entry.shape if size) > LARGEST:
        raise ValueError("has a shape that no file can hold")
    if entry.end - entry.begin != math.prod(entry.shape) * DTYPES[dtype].itemsize:
        raise ValueError("has data_offsets that don't fit its shape and dtype")
    return entry


def _are_sizes(value: Any) -> bool:
    """Whether a value is a list of integers >= 0; true and false are integers for Python."""
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in cast(list[Any], value))


def _check_tiling(tensors: dict[str, Entry], data_size: int) -> None:
    """Raise unless the tensors lie side by side from the first byte of the data part to its last."""
    end = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != end:
            raise ValueError(f"tensor {show(name)} does not begin at byte {end}, where the one before it ends")
        end = entry.end
    if end != data_size:
        raise ValueError(f"its tensors end at byte {end} of {data_size} bytes of data")
