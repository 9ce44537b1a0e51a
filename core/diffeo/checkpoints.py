"""Checkpoints: folders ``step-000001000`` that are whole or absent, whenever the process or the machine stops.

A checkpoint is written into a temporary folder beside its place, each file fsynced, the manifest with sizes and SHA-256
last; then the folder is renamed and its parent fsynced. The newest one whose manifest verifies is the one used: there is no
file that names it, which could be wrong.

``write``, ``recover`` and ``retain`` are for the one process that holds the lock of the run (``diffeo.run_lock``); the
others only read.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from diffeo.checkpoint_list import (
    NAME,
    TEMPORARY,
    discard,
    list_checkpoints,
    newest,
    replaced,
    step_name,
    sweep,
    whole,
)
from diffeo.durable_files import Data, create_file, make_folder, remove, size_of, sync_folder
from diffeo.manifest import MANIFEST, Contents, Manifest, NewerFormatError, check_names, describe, read, verify
from diffeo.retention import Recovered, recover, retain
from diffeo_registry import DiffeoError

__all__ = [
    "MANIFEST",
    "NAME",
    "Contents",
    "Manifest",
    "NewerFormatError",
    "Recovered",
    "SaveError",
    "list_checkpoints",
    "newest",
    "read",
    "recover",
    "retain",
    "verify",
    "write",
]


class SaveError(DiffeoError):
    """A checkpoint that could not be written: a full disk, a read-only place. Those written before are as they were."""


def write(folder: Path, step: int, files: Mapping[str, Data], *, score: float | None = None) -> Path:
    """Write a whole checkpoint of ``step`` below ``folder``; returns its path when it is durable.

    One that is there already, whole and equal, is left; a different one makes way only for a whole one, and is removed last.
    Raises ``SaveError`` when the system refuses; nothing half written is left then.
    """
    check_names(files)
    final = folder / step_name(step)
    try:
        make_folder(folder)
        sweep(folder)
        with ThreadPoolExecutor(1, "diffeo-checkpoint") as pool:  # checksums are computed while the files are written
            manifest = pool.submit(describe, step, files, score=score)
            if os.path.lexists(final) and _is_saved(final, manifest.result()):
                sync_folder(folder)  # who wrote it may have died just before
            else:
                _write_aside(final, files, manifest.result)
    except OSError as error:
        size = sum(size_of(data) for data in files.values())
        raise SaveError(
            f"{final}: expected a place where {size:,} bytes can be written; got {error.strerror or error}: the older "
            "checkpoints are intact"
        ) from error
    return final


def _is_saved(final: Path, manifest: bytes) -> bool:
    return whole(final) is not None and (final / MANIFEST).read_bytes() == manifest


def _write_aside(final: Path, files: Mapping[str, Data], manifest: Callable[[], bytes]) -> None:
    temporary = final.with_name(f"{TEMPORARY}{final.name}-{os.getpid()}")
    try:
        temporary.mkdir()
        for name, data in files.items():
            create_file(temporary / name, data)
        create_file(temporary / MANIFEST, manifest())
        sync_folder(temporary)
        _move_into_place(temporary, final)
    except BaseException:
        with suppress(OSError):
            remove(temporary)
        raise


def _move_into_place(temporary: Path, final: Path) -> None:
    """Rename ``temporary``, which is whole, to ``final``, after what may be there has made way.

    It does so under a name that readers know, so between the two renames it is still found; if this process dies there, the
    next ``write`` or ``recover`` puts it back.
    """
    old = replaced(final)
    if os.path.lexists(old) and whole(final) is None:
        discard(final)  # twice cut short, then damaged: the one to keep has made way already
    elif os.path.lexists(final):
        final.rename(old)
        sync_folder(final.parent)
    try:
        temporary.rename(final)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(final):
            with suppress(OSError):  # it is found under its other name just as well
                old.rename(final)
        raise
    sync_folder(final.parent)
    if os.path.lexists(old):
        with suppress(OSError):
            discard(old)
