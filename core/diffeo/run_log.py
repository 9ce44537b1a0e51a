"""What a run writes while it trains: one line of JSON per record, whole lines only."""

import json
import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffeo.progress import tell

__all__ = ["RunLog", "truncate_metrics"]


class RunLog:
    """``metrics.jsonl`` and ``incidents.jsonl`` of a run folder.

    A line that cannot be written (the disk is full) is kept and written before the next one; the run goes on. Without a
    folder nothing is written: only the main process of a run does.
    """

    def __init__(self, folder: Path | None, seconds_before: float = 0.0) -> None:
        self._metrics = None if folder is None else _Lines(folder / "metrics.jsonl")
        self._incidents = None if folder is None else _Lines(folder / "incidents.jsonl")
        self._start = time.perf_counter() - seconds_before

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Append one line; a value that is not finite becomes null, which JSON can say."""
        if self._metrics is None:
            return
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._metrics.append({"step": step, "time": round(self.seconds, 3)} | finite)

    def incident(self, step: int, text: str, *, told: bool = True) -> None:
        """Append one line in plain words, and say it on standard error unless an error is about to."""
        if self._incidents is None:
            return
        if told:
            tell(f"step {step}: {text}")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._incidents.append({"step": step, "at": now, "incident": text})

    @property
    def seconds(self) -> float:
        """How long the run has taken, earlier parts included."""
        return time.perf_counter() - self._start


class _Lines:
    """A file of JSON lines that is appended to, line by line, each whole or not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[bytes] = []

    def append(self, record: dict[str, Any]) -> None:
        self._waiting.append(json.dumps(record, allow_nan=False).encode() + b"\n")
        try:
            self._write()
        except OSError as error:
            tell(f"{self.path}: {error.strerror}; the line waits")

    def _write(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size, data = os.fstat(descriptor).st_size, b"".join(self._waiting)
            try:
                written = os.write(descriptor, data)
                while written < len(data):
                    written += os.write(descriptor, data[written:])
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            self._waiting.clear()
        finally:
            os.close(descriptor)


def truncate_metrics(folder: Path, step: int) -> float:
    """Drop what was written after ``step`` (a resumed run writes it again); returns the seconds the run had taken.

    A last line that a crash cut off goes as well. The file is replaced as a whole.
    """
    path = folder / "metrics.jsonl"
    kept = [(line, record) for line, record in _records(path) if record["step"] <= step]
    aside = path.with_name(".metrics.jsonl.tmp")
    aside.write_text("".join(line + "\n" for line, _ in kept))
    aside.replace(path)
    return float(kept[-1][1]["time"]) if kept else 0.0


def _records(path: Path) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append((line, json.loads(line)))
        except ValueError:
            break
    return found
