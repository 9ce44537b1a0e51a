"""Files and folders that survive a crash once a function here has returned, and how they are taken away again.

``fsync`` of a file makes its bytes durable, ``fsync`` of a folder the names in it: both are needed, in this order.
"""

import errno
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Data", "Part", "create_file", "make_folder", "parts_of", "remove", "size_of", "sync_folder"]

Part = bytes | memoryview
"""A piece of a file."""

Data = Part | Sequence[Part]
"""What is to be a file: its bytes, or pieces of it, such as views of tensors, that need not be copied into one string."""


def parts_of(data: Data) -> Sequence[Part]:
    """The pieces."""
    return [data] if isinstance(data, (bytes, memoryview)) else data  # pyright: ignore[reportReturnType] - no sequence of parts


def size_of(data: Data) -> int:
    """How many bytes they are together."""
    return sum(len(part) for part in parts_of(data))


def create_file(path: Path, data: Data) -> None:
    """Write a file that must not exist yet, with the permissions of any new file, and fsync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for part in parts_of(data):
            left = memoryview(part)
            while left:  # one call writes what there is room for, and at most 2 GiB
                left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing; one that is there already is left as it is."""
    if not path.is_dir():
        if os.path.lexists(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the system can: Windows has no such call, nor have some network drives."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # "this kind of file cannot be synchronized"
            raise
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, or a file, or a link but not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
