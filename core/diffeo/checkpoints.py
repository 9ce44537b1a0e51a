"""Checkpoints: folders ``step-000001000`` that are whole or absent.

A checkpoint is written into a temporary folder beside its place, each file fsynced, the manifest with sizes and SHA-256
last; then the folder is renamed and its parent fsynced. The newest one whose manifest verifies is the one used.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from diffeo.model_files import CheckpointError

__all__ = ["newest", "retain", "verify", "write"]

MANIFEST = "MANIFEST.json"
NAME = re.compile(r"step-(\d{9,})")


def write(folder: Path, step: int, files: Mapping[str, bytes]) -> Path:
    """Write a whole checkpoint of ``step`` below ``folder``; returns its path."""
    final = folder / f"step-{step:09d}"
    aside = folder / f".step-{step:09d}.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        for name, data in files.items():
            _write_synced(aside / name, data)
        manifest = {"format": 1, "step": step, "files": {name: _entry(data) for name, data in files.items()}}
        _write_synced(aside / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
        _sync_folder(aside)
        if final.exists():
            shutil.rmtree(final)
        aside.rename(final)
        _sync_folder(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return final


def newest(folder: Path) -> Path:
    """The newest checkpoint below ``folder`` whose manifest verifies."""
    reasons: list[str] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            verify(path)
        except CheckpointError as error:
            reasons.append(str(error))
        else:
            return path
    raise CheckpointError("\n".join(reasons) or f"{folder}: expected a checkpoint; got none")


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    found = [(match, path) for path in _children(folder) if (match := NAME.fullmatch(path.name))]
    return [path for _, path in sorted((int(match[1]), path) for match, path in found)]


def verify(path: Path) -> None:
    """Raise unless every file of the manifest is there with its size and checksum."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        files: dict[str, dict[str, object]] = manifest["files"]
        for name, wanted in files.items():
            if _entry((path / name).read_bytes()) != wanted:
                raise CheckpointError(
                    f"{path / name}: expected the checksum of the manifest; got another: the file is damaged"
                )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: expected a whole checkpoint; got {error}") from error


def retain(folder: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints."""
    for path in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _entry(data: bytes) -> dict[str, object]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
