"""Run folders: where a new one goes, and what an old one holds."""

import os
from pathlib import Path

from diffeo import checkpoints
from diffeo.config_spec import Spec
from diffeo.durable_files import create_file, make_folder, sync_folder
from diffeo.seed_names import seed_folders
from diffeo_registry import DiffeoError

__all__ = ["begin_folder", "launched_folder", "new_folder", "run_folder", "spec_file", "step_of"]

LAUNCH = ".launch"
"""Which command began the run, for ``launched_folder``."""


def new_folder(spec: Spec, out: str | os.PathLike[str] | None) -> Path:
    """Where a run of ``spec`` is to be written: ``out``, or ``runs/<name>-<n>`` with the first n that is free."""
    if out is None:
        stem, number = "run" if spec.origin is None else spec.origin.name, 1
        while Path("runs", f"{stem}-{number}").exists():
            number += 1
        return Path("runs", f"{stem}-{number}")
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "one with files in it" if folder.is_dir() else "a file"
        is_run = (folder / "spec.yaml").exists() or seed_folders(folder)
        way_on = f", or continue that run with: diffeo train --resume {folder}" if is_run else ""
        raise DiffeoError(
            f"{folder}: expected a folder that does not exist yet; got {what}: choose another --out{way_on}"
        )
    return folder


def launched_folder(spec: Spec, out: str | os.PathLike[str] | None, launch: str) -> Path | None:
    """The folder that an earlier attempt of this ``launch`` has begun, where torchrun has restarted its processes."""
    stem = "run" if spec.origin is None else spec.origin.name
    places = [Path(out)] if out is not None else sorted(Path("runs").glob(f"{stem}-*"))
    return next((place for place in places if launch in _launches(place)), None)


def _launches(place: Path) -> list[str]:
    """Which commands began the runs in a folder: one run, or one for each of many seeds."""
    begun = [path.parent for path in (place / "spec.yaml", *place.glob("seed-*/spec.yaml")) if path.exists()]
    return [(folder / LAUNCH).read_text() for folder in begun if (folder / LAUNCH).exists()]


def begin_folder(folder: Path, spec: str, launch: str) -> None:
    """Make the folder of a run, with the one its checkpoints go to, the resolved spec, and who launched it."""
    try:
        make_folder(folder)
        (folder / "checkpoints").mkdir()
        create_file(folder / LAUNCH, launch.encode())
        create_file(folder / "spec.yaml", spec.encode())
        sync_folder(folder)
    except OSError as error:
        raise DiffeoError(
            f"{folder}: expected a place where a run folder can be written; got {error.strerror}"
        ) from error


def run_folder(path: str | os.PathLike[str]) -> Path:
    """The run folder that a path is or lies in."""
    path = Path(path)
    return next((place for place in (path, *path.absolute().parents) if (place / "spec.yaml").exists()), path)


def spec_file(folder: Path) -> Path:
    """The resolved spec of a run."""
    if not (folder / "spec.yaml").exists():
        raise DiffeoError(f"{folder}: expected a run folder with a spec.yaml; got none")
    return folder / "spec.yaml"


def step_of(path: Path) -> int:
    """The step of a checkpoint, or of the newest one of a run."""
    folder = checkpoints.newest(path / "checkpoints") if (path / "checkpoints").is_dir() else path
    return next((int(m[1]) for p in (folder, *folder.parents) if (m := checkpoints.NAME.fullmatch(p.name))), 0)
