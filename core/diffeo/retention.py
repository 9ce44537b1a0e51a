"""Which checkpoints stay after a save, and what becomes of damaged ones when a run goes on.

Both are for the process that holds the lock of the run. Every change is one rename, so either can be cut short anywhere and
done again.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs

from diffeo.checkpoint_list import NAME, discard, list_checkpoints, newest, scan, step_name, sweep
from diffeo.errors import CheckpointError
from diffeo.manifest import read, read_manifest
from diffeo_registry import DiffeoError

__all__ = ["Recovered", "recover", "retain"]


@attrs.frozen
class Recovered:
    """Where a run goes on, and what had to be moved out of its way: one line a problem, in plain words."""

    path: Path | None
    """The newest whole checkpoint; None if there is no checkpoint at all."""
    problems: tuple[str, ...] = ()
    files: Mapping[str, memoryview] = attrs.field(factory=dict[str, memoryview], repr=False)
    """The contents of that checkpoint: the bytes that were checked."""


def recover(folder: Path) -> Recovered:
    """Make ``folder`` ready for a run to go on: tidy, and with nothing newer than the newest whole checkpoint.

    Damaged ones that are newer are moved to ``quarantine-...``, never deleted. If all are damaged, or one is of a newer
    format, that is a ``CheckpointError`` and nothing is touched: who means to start afresh has to say so.
    """
    found: dict[Path, Mapping[str, memoryview]] = {}

    def check(path: Path) -> None:
        found[path] = read(path).files

    try:
        path, damaged = scan(folder, check)
        if path is None and damaged:
            raise CheckpointError(
                f"{folder}: expected a whole checkpoint; got damaged ones only, which were left as they are: restore one "
                "from a copy, or start a new run\n" + "\n".join(damaged.values())
            )
        problems = [f"{problem}; it is now {_quarantine(old).name}" for old, problem in damaged.items()]
        sweep(folder)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: expected checkpoints that can be moved; got {error.strerror or error}"
        ) from error
    if path is None:
        return Recovered(None, tuple(problems))
    return Recovered(path.with_name(step_name(_step(path))), tuple(problems), found[path])


def retain(folder: Path, *, keep: int, best: int = 0, safe: Path | None = None) -> list[str]:
    """Remove checkpoints but for the newest ``keep`` and the ``best`` of lowest score; returns what went wrong, as lines.

    ``safe`` is one that is known to be whole, such as the one just written; without it the newest is read back first, and
    if that isn't whole, the newest that is stays as well. Of equal scores the newer wins.
    """
    if keep < 1 or best < 0:
        raise DiffeoError(f"expected keep >= 1 and best >= 0; got keep {keep} and best {best}")
    try:
        paths, safe = list_checkpoints(folder), safe or newest(folder)
    except (CheckpointError, OSError) as error:
        return [f"{line}; no checkpoint was removed" for line in str(error).splitlines()]
    stay = {_step(safe), *sorted({_step(path) for path in paths})[-keep:], *_best(paths, best)}
    return [line for path in paths if _step(path) not in stay for line in _try_to_discard(path)]


def _best(paths: list[Path], count: int) -> list[int]:
    """The steps of the ``count`` lowest scores. Manifests alone are read: hashing all weights would cost more each save."""
    scores: dict[int, float] = {}
    for path in paths if count else []:
        with suppress(CheckpointError):
            score = read_manifest(path).score
            if score is not None:
                scores[_step(path)] = score
    return sorted(scores, key=lambda step: (scores[step], -step))[:count]


def _try_to_discard(path: Path) -> list[str]:
    try:
        discard(path)
    except OSError as error:
        return [f"{path}: expected an old checkpoint that can be removed; got {error.strerror or error}"]
    return []


def _quarantine(path: Path) -> Path:
    """Move a damaged checkpoint to the first free name."""
    target, number = path.with_name(f"quarantine-{path.name}"), 1
    while os.path.lexists(target):
        target, number = path.with_name(f"quarantine-{path.name}-{number}"), number + 1
    return path.rename(target)


def _step(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    assert match is not None, "only names that match are listed"
    return int(match[1])
