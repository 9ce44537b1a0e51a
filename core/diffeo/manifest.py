"""``MANIFEST.json`` of a checkpoint folder: what is in it, and whether all of it still is what was written.

    format      1
    created_by  "diffeo 0.1.0"
    step        the step the checkpoint was taken after
    score       what it scored on the validation split, lower is better; null where it wasn't validated
    files       {name: {size, sha256}}, the manifest itself not among them
    tensors     {name.safetensors: {tensor: {dtype, shape}}}
    sha256      of all of the above, as JSON with sorted keys and no spaces

Two saves of the same state have the same manifest, byte for byte: it holds no time and no name of a machine.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from diffeo import __version__
from diffeo.durable_files import Data, parts_of, size_of
from diffeo.errors import CheckpointError
from diffeo.strict_json import parse_json
from diffeo.tensor_files import empty_memory, read_into_memory, tensor_index
from diffeo_registry.wording import show

__all__ = [
    "MANIFEST",
    "Contents",
    "Entry",
    "Manifest",
    "NewerFormatError",
    "check_names",
    "describe",
    "read",
    "read_manifest",
    "verify",
]

A = TypeVar("A")
B = TypeVar("B")

MANIFEST = "MANIFEST.json"
FORMAT = 1
"""Raised when the meaning of a key changes. Every format keeps ``format`` and ``sha256``, so that older code can tell a
newer manifest from a damaged one."""
CHUNK = 16 * 2**20
"""Bytes that are read at once: few enough to be hashed out of the processor's cache, enough for threads to be worth it."""
SIZE_LIMIT = 16 * 2**20
"""Largest manifest read, in bytes: that of some 100,000 tensors."""


class NewerFormatError(CheckpointError):
    """A checkpoint that is whole, but written by a newer version of diffeo: never passed over, never moved away."""


@attrs.frozen
class Entry:
    """One file of a checkpoint."""

    size: int
    sha256: str


@attrs.frozen
class Manifest:
    """What a checkpoint holds."""

    step: int
    score: float | None
    files: Mapping[str, Entry]
    tensors: Mapping[str, Mapping[str, Mapping[str, Any]]]
    created_by: str
    sha256: str


@attrs.frozen
class Contents:
    """A checkpoint in memory: what it holds, and the bytes of its files."""

    manifest: Manifest
    files: Mapping[str, memoryview]


# Writing


def check_names(files: Iterable[str]) -> None:
    """Raise for a name that cannot be that of a file of a checkpoint."""
    for name in files:
        if not _is_plain(name):
            raise CheckpointError(f"expected plain file names in a checkpoint; got {show(name)}")


def describe(step: int, files: Mapping[str, Data], *, score: float | None = None) -> bytes:
    """The manifest of a checkpoint; a score that is not finite counts as none, since it is never the best."""
    check_names(files)
    digests = _at_once(_hash, files.values())
    content: dict[str, Any] = {
        "format": FORMAT,
        "created_by": f"diffeo {__version__}",
        "step": step,
        "score": float(score) if score is not None and math.isfinite(score) else None,
        "files": {
            name: {"size": size_of(data), "sha256": digest}
            for (name, data), digest in zip(files.items(), digests, strict=True)
        },
        "tensors": {name: _index(data) for name, data in files.items() if name.endswith(".safetensors")},
    }
    content["sha256"] = _own_hash(content)
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode()


# Reading


def verify(path: Path) -> Manifest:
    """The manifest of a checkpoint folder whose every file is what was written; raises ``CheckpointError`` otherwise.

    What is cheap is looked at first: the manifest's own hash, then all sizes, then all contents.
    """
    manifest = read_manifest(path)
    for name, entry in manifest.files.items():
        _check_size(path / name, entry)
    digests = _at_once(lambda name: _digest(path / name), manifest.files)
    for (name, entry), digest in zip(manifest.files.items(), digests, strict=True):
        _check_hash(path / name, digest, entry)
    return manifest


def read(path: Path) -> Contents:
    """The files of a checkpoint folder, each read once: the bytes that were checked are the bytes returned."""
    manifest = read_manifest(path)
    found = _at_once(lambda one: _checked_bytes(path / one[0], one[1]), manifest.files.items())
    return Contents(manifest, dict(zip(manifest.files, found, strict=True)))


def read_manifest(path: Path) -> Manifest:
    """The manifest of a checkpoint folder, which may or may not describe the files that are there."""
    source = path / MANIFEST
    size = _size(source)
    if size > SIZE_LIMIT:
        raise CheckpointError(f"{source}: expected a manifest of at most {SIZE_LIMIT} bytes; got {size}")
    data = bytes(_bytes(source))
    try:
        content = parse_json(data)
    except ValueError as error:
        raise CheckpointError(f"{source}: expected a manifest in JSON; got a damaged one ({error})") from error
    try:
        return _parse(content)
    except CheckpointError as error:
        raise type(error)(f"{source}: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise CheckpointError(
            f"{source}: expected the keys and types of format {FORMAT}; got others ({error})"
        ) from error


def _parse(content: Any) -> Manifest:
    if not isinstance(content, dict):
        raise CheckpointError(f"expected a manifest; got {show(content)}")
    content = cast(dict[str, Any], content)
    own_hash = content.pop("sha256", None)
    whole = own_hash == _own_hash(content)
    version = content["format"]
    if isinstance(version, int) and version > FORMAT:
        raise (NewerFormatError if whole else CheckpointError)(
            f"expected format {FORMAT} or older; got format {version}: it was written by a newer version "
            f"({show(content.get('created_by'))}), so upgrade diffeo to read it"
        )
    if not whole:
        raise CheckpointError("expected a manifest with the hash that it states; got another: it is damaged")
    if version != FORMAT:
        raise CheckpointError(f"expected format {FORMAT}; got {show(version)}")
    for name in content["files"]:
        if not _is_plain(name):
            raise CheckpointError(f"expected plain file names; got {show(name)}")
    return Manifest(
        step=int(content["step"]),
        score=None if content["score"] is None else float(content["score"]),
        files={name: Entry(int(entry["size"]), str(entry["sha256"])) for name, entry in content["files"].items()},
        tensors=dict(content["tensors"]),
        created_by=str(content["created_by"]),
        sha256=str(own_hash),
    )


def _checked_bytes(path: Path, entry: Entry) -> memoryview:
    _check_size(path, entry)
    data, digest = _bytes_and_digest(path)
    _check_hash(path, digest, entry)
    return data


def _check_size(path: Path, entry: Entry) -> None:
    size = _size(path)
    if size != entry.size:
        raise CheckpointError(f"{path}: expected {entry.size} bytes; got {size}: the file is damaged")


def _check_hash(path: Path, digest: str, entry: Entry) -> None:
    if digest != entry.sha256:
        raise CheckpointError(f"{path}: expected the SHA-256 of the manifest; got another: the file is damaged")


# Files


def _size(path: Path) -> int:
    with _readable(path):
        if path.exists() and not path.is_file():  # a pipe would never end
            raise OSError("something that is no file")
        return path.stat().st_size


def _bytes(path: Path) -> memoryview:
    """The contents, in memory that tensors may be views of."""
    with _readable(path), path.open("rb") as file:
        return read_into_memory(file, os.fstat(file.fileno()).st_size)


def _bytes_and_digest(path: Path) -> tuple[memoryview, str]:
    """The contents and their SHA-256: each chunk is hashed, in another thread, while the next one is read."""
    digest, chunks = hashlib.sha256(), list[memoryview]()
    with _readable(path), path.open("rb") as file, ThreadPoolExecutor(1, "diffeo-checkpoint") as hasher:
        memory = empty_memory(os.fstat(file.fileno()).st_size)
        for start in range(0, len(memory), CHUNK):
            chunk = memory[start : start + CHUNK]
            chunks.append(chunk[: file.readinto(chunk)])
            hasher.submit(digest.update, chunks[-1])
    return memory[: sum(map(len, chunks))], digest.hexdigest()


def _digest(path: Path) -> str:
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _readable(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path}: expected a file of a checkpoint; got {error.strerror or error}") from error


def _is_plain(name: str) -> bool:
    """Whether a name stays in its folder on every system, and is not that of the manifest."""
    return name not in ("", ".", "..", MANIFEST) and name.isprintable() and not set(name) & set("/\\:")


def _own_hash(content: Mapping[str, Any]) -> str:
    return _hash(json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def _at_once(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """A function of every item, each in a thread of its own: hashing and reading leave Python's lock alone."""
    with ThreadPoolExecutor(4, "diffeo-checkpoint") as pool:
        return list(pool.map(function, items))


def _hash(data: Data) -> str:
    digest = hashlib.sha256()
    for part in parts_of(data):
        digest.update(part)
    return digest.hexdigest()


def _index(data: Data) -> dict[str, dict[str, Any]]:
    return tensor_index(bytes(parts_of(data)[0]), size_of(data))
