"""Seeds as users write them, and the folders of their runs; torch is not imported."""

import re
from pathlib import Path

from diffeo_registry import DiffeoError

__all__ = ["is_seed_folder", "parse_seeds", "seed_folders"]

FOLDER = re.compile(r"seed-(0|[1-9][0-9]*)")
MOST = 10_000
"""Seeds in one range: more are a slip of the finger."""


def parse_seeds(text: str) -> tuple[int, ...]:
    """``"0-3,7"`` -> ``(0, 1, 2, 3, 7)``.

    >>> parse_seeds("0-3,7")
    (0, 1, 2, 3, 7)
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]+)(?:-([0-9]+))?\s*", part)
        if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
            raise DiffeoError(f"expected seeds such as 0-9 or 0,2,5-7; got {text!r}")
        some = range(int(match[1]), int(match[2] or match[1]) + 1)
        if some[-1] - some[0] >= MOST:
            raise DiffeoError(f"expected at most {MOST} seeds; got {text!r}")
        seeds += some
    if len(set(seeds)) < len(seeds):
        raise DiffeoError(f"expected every seed once; got {text!r}")
    return tuple(seeds)


def is_seed_folder(path: Path) -> bool:
    """Whether a folder holds runs by seed."""
    return not (path / "spec.yaml").exists() and bool(seed_folders(path))


def seed_folders(path: Path) -> dict[int, Path]:
    """The runs in a folder, by seed."""
    folders = list(path.iterdir()) if path.is_dir() else []
    found = [(FOLDER.fullmatch(folder.name), folder) for folder in folders if (folder / "spec.yaml").exists()]
    return {int(match[1]): folder for match, folder in found if match}
