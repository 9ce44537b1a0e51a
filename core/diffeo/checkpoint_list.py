"""The checkpoints in a folder: which there are, which is the newest whole one, and what dead processes left among them.

    step-000001000              a checkpoint
    step-000001000-replaced     the one before it of the same step, while that one takes its place
    .tmp-step-000001000-<pid>   one that is being written
    .tmp-delete-...             one that is being removed
    quarantine-step-...         a damaged one that was moved out of the way of a run that goes on

A name with ``.tmp-`` promises nothing and is swept; all others stay until retention or a person removes them.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from diffeo.durable_files import remove
from diffeo.errors import CheckpointError
from diffeo.manifest import Manifest, NewerFormatError, read_manifest, verify

__all__ = [
    "NAME",
    "TEMPORARY",
    "discard",
    "list_checkpoints",
    "newest",
    "replaced",
    "scan",
    "step_name",
    "sweep",
    "whole",
]

NAME = re.compile(r"step-([0-9]{9,})(-replaced)?")
TEMPORARY = ".tmp-"


def step_name(step: int) -> str:
    """``step-000001000``: nine digits sort as text up to a step that no run reaches."""
    return f"step-{step:09d}"


def replaced(final: Path) -> Path:
    """Where the checkpoint at ``final`` stands while another of its step takes its place; readers know this name."""
    return final.with_name(f"{final.name}-replaced")


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints, whole or damaged, oldest first; of the same step, the one that was replaced first."""
    found = [(match, path) for path in _children(folder) if (match := NAME.fullmatch(path.name))]
    return [path for _, _, path in sorted((int(match[1]), match[2] is None, path) for match, path in found)]


def newest(folder: Path) -> Path:
    """The newest checkpoint that is whole; nothing is changed, so that no lock is needed."""
    try:
        path, damaged = scan(folder)
    except OSError as error:
        raise CheckpointError(f"{folder}: expected a folder of checkpoints; got {error.strerror or error}") from error
    if path is None:
        raise CheckpointError("\n".join(damaged.values()) or f"{folder}: expected a checkpoint; got none")
    return path


def scan(folder: Path, check: Callable[[Path], object] = verify) -> tuple[Path | None, dict[Path, str]]:
    """The newest checkpoint that passes a check, and what is wrong with each newer one, newest first."""
    damaged: dict[Path, str] = {}
    for path in reversed(list_checkpoints(folder)):
        try:
            _require_named(path, read_manifest(path))
            check(path)
        except NewerFormatError:
            raise  # It is not damaged, and an older one is not what its owner means.
        except CheckpointError as error:
            damaged[path] = str(error)
        else:
            return path, damaged
    return None, damaged


def whole(path: Path) -> Manifest | None:
    """The manifest of a checkpoint, or None if it is damaged or absent."""
    try:
        manifest = verify(path)
        _require_named(path, manifest)
    except CheckpointError:
        return None
    return manifest


def sweep(folder: Path) -> None:
    """Tidy up after processes that died; only for who holds the lock of the run, since no pid tells the dead apart.

    What cannot be removed stays: it is in nobody's way.
    """
    for path in _children(folder):
        if path.name.startswith(TEMPORARY):
            with suppress(OSError):
                remove(path)
    for old in [path for path in list_checkpoints(folder) if path.name.endswith("-replaced")]:
        final = old.with_name(old.name.removesuffix("-replaced"))
        if not os.path.lexists(final):
            old.rename(final)
        elif whole(final) is not None:
            with suppress(OSError):
                discard(old)


def discard(path: Path) -> None:
    """Remove a checkpoint: renamed first, so that a half removed one is never taken for a damaged one."""
    doomed = path.with_name(f"{TEMPORARY}delete-{path.name}-{os.getpid()}")
    path.rename(doomed)
    remove(doomed)


def _require_named(path: Path, manifest: Manifest) -> None:
    match = NAME.fullmatch(path.name)
    if match is not None and int(match[1]) != manifest.step:
        raise CheckpointError(f"{path}: expected the checkpoint of this step; got that of step {manifest.step}")


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
