"""What a person sees while a model trains: a bar in a terminal, a line now and then anywhere else."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["ProgressBar", "tell"]

SECONDS_BETWEEN_LINES = 10.0
"""Away from a terminal: often enough to see that it runs, rare enough for the log file of a long job."""


def tell(text: str, stream: TextIO | None = None) -> None:
    """Print a line, on standard error by default. A log file on a full disk, or a terminal that is gone, ends no run."""
    with suppress(OSError):
        print(text, file=sys.stderr if stream is None else stream, flush=True)


class ProgressBar:
    """Shows steps, loss, bits/dim, steps/s and time left, on standard error; use it as a context manager.

    ``start`` is the step a resumed run begins with. ``update(step, metrics)`` takes what was measured last; metrics
    stay on display until newer ones come. In a terminal this is a bar, elsewhere plain lines at most every ten
    seconds and a last one; with ``enabled=False`` nothing is shown.
    """

    def __init__(
        self,
        total: int,
        *,
        start: int = 0,
        description: str = "training",
        enabled: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.start, self.step = total, start, start
        self.description, self.enabled = description, enabled
        self.metrics: dict[str, float] = {}
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began = self._last_line = clock()
        self._shown = -1
        self._bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        self._began = self._last_line = self._clock()
        if self.enabled and self._stream.isatty():
            self._bar = _start_bar(self._stream, self.description, self.total, self.step)
        return self

    def update(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """``step`` steps are done."""
        self.step = step
        self.metrics.update(metrics or {})
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=step, text=self._text())
        elif self.enabled and self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._print_line()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar[0].stop()
        elif self.enabled and self.step != self._shown and self.step > self.start:
            self._print_line()

    def _print_line(self) -> None:
        self._last_line, self._shown = self._clock(), self.step
        parts = (f"{self.description}: step {self.step}/{self.total}", self._text(), self._time_left())
        tell("  ".join(part for part in parts if part), self._stream)

    def _text(self) -> str:
        return "  ".join(text for name, form in _SHOWN.items() if (text := _format(self.metrics.get(name), form)))

    def _time_left(self) -> str:
        done = self.step - self.start
        if done <= 0 or self.step >= self.total:
            return ""
        seconds = round((self._clock() - self._began) / done * (self.total - self.step))
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{seconds % 60:02} left"


_SHOWN = {
    "loss": "loss {:.4g}",
    "bits_per_dim": "{:.3f} bits/dim",
    "val/bits_per_dim": "(validation {:.3f})",
    "steps_per_second": "{:.3g} steps/s",
}


def _format(value: float | None, form: str) -> str:
    return "" if value is None or not math.isfinite(value) else form.format(value)


def _start_bar(stream: TextIO, description: str, total: int, step: int) -> "tuple[Progress, TaskID]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(compact=True),
        console=Console(file=stream),
        expand=True,
    )
    task = bar.add_task(description, total=total, completed=step, text="")
    bar.start()
    return bar, task
