"""What a run writes while it trains: one line of JSON per record, whole lines only."""

import json
import math
import time
from pathlib import Path
from typing import IO

__all__ = ["RunLog"]


class RunLog:
    """``metrics.jsonl`` and ``incidents.jsonl`` of a run folder."""

    def __init__(self, folder: Path, seconds_before: float = 0.0) -> None:
        self._metrics: IO[str] = (folder / "metrics.jsonl").open("a")
        self._incidents = folder / "incidents.jsonl"
        self._start = time.perf_counter() - seconds_before

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Append one line; a value that is not finite becomes null, which JSON can say."""
        record = {"step": step, "time": round(time.perf_counter() - self._start, 3)}
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._metrics.write(json.dumps(record | finite) + "\n")
        self._metrics.flush()

    def incident(self, step: int, text: str) -> None:
        """Append one line in plain words."""
        with self._incidents.open("a") as file:
            file.write(json.dumps({"step": step, "incident": text}) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._metrics.close()


def truncate_metrics(folder: Path, step: int) -> float:
    """Drop what was written after ``step`` (a resumed run writes it again); returns the seconds the run had taken."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    records = [(line, json.loads(line)) for line in lines]
    kept = [(line, record) for line, record in records if record["step"] <= step]
    path.write_text("".join(line + "\n" for line, _ in kept))
    return float(kept[-1][1]["time"]) if kept else 0.0
