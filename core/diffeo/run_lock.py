"""A lock on a run folder, so that two processes never write the same run.

The lock is the kernel's (``flock``), not the file's: it is gone when its process is, however that ends, and no file has to be
removed by hand. Windows has no such lock: there ``RunLock`` does nothing, and care is the user's.
"""

import errno
import json
import os
import socket
import sys
import warnings
import weakref
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from diffeo_registry import DiffeoError

if sys.platform != "win32":
    import fcntl

__all__ = ["RunLock"]

FILE = ".lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""What drives say that have no locks, such as Lustre mounted without them."""


class RunLock:
    """Holds a run folder for this process inside a ``with`` block; raises ``DiffeoError`` if another one has it.

    The file ``.lock`` says who: a line of JSON with pid, host and since. Processes that are started inside the block do not
    hold the lock, so it never outlives the one that took it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            self._descriptor = _locked(self.folder)
            # An exec closes the descriptor by itself; a fork has to be told. The weak reference lets the lock be collected.
            os.register_at_fork(after_in_child=partial(_let_go, weakref.ref(self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go; in a forked child this closes its copy only and the parent keeps the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _let_go(lock: "weakref.ref[RunLock]") -> None:
    held = lock()
    if held is not None:
        held.close()


def _locked(folder: Path) -> int:
    """A descriptor that holds the lock of ``folder`` until it is closed."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _take(descriptor, folder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _owner(), 0)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError):
            raise _unwritable(folder, error) from error
        raise
    return descriptor


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DiffeoError(
            f"{folder}: expected a run folder that nobody is writing; got one that {_who(descriptor)}: wait for it, or stop it"
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warnings.warn(
            f"{folder}: the drive has no locks ({error.strerror}): see to it that one process alone trains there",
            stacklevel=4,
        )


def _owner() -> bytes:
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode() + b"\n"


def _who(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {owner['pid']} on {owner['host']} has been training since {owner['since']}"
    except (ValueError, KeyError, TypeError):  # It has taken the lock this instant and not written its name yet.
        return "another process is training"


def _unwritable(folder: Path, error: OSError) -> DiffeoError:
    return DiffeoError(f"{folder}: expected a run folder that can be written; got {error.strerror or error}")
