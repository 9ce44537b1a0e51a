"""Writing a file whole or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from diffeo_registry import DiffeoError

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """A path beside ``path`` to write to; it takes its place when the block ends, and is removed if the block raises."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.parent.is_dir():
        raise DiffeoError(f"{path}: expected a file in a folder that exists; got no folder {path.parent}")
    try:
        yield aside
        os.replace(aside, path)
    except OSError as error:
        if error.filename != str(aside):
            raise
        raise DiffeoError(f"{path}: expected a file that can be written; got: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
