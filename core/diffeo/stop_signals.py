"""Signals that ask a run to stop."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

__all__ = ["StopSignals"]


class StopSignals:
    """SIGINT and SIGTERM ask the loop to stop after the step it is in; a second one stops at once."""

    def __init__(self) -> None:
        self.received: int | None = None

    @contextmanager
    def caught(self) -> Generator[None]:
        """Handle the signals inside the block, where Python allows it (the main thread)."""
        previous: dict[int, Any] = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, self._note)
        except ValueError:
            pass  # Not the main thread: signals are somebody else's.
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: Any) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
