"""Signals that ask a run to stop."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["StopSignals", "StoppedError"]


class StoppedError(BaseException):
    """A signal that ends the process at once; not an ``Exception``, so that nothing on the way takes it for a failure."""

    def __init__(self, number: int, run: Path | None = None) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number, self.run = number, run


class StopSignals:
    """SIGINT and SIGTERM: inside ``deferred`` the first is noted in ``received``, for the loop to stop after its step.

    Anywhere else, and the second time, they raise ``StoppedError`` where the program is.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._deferring = False

    @contextmanager
    def caught(self) -> Generator[None]:
        """Handle the signals inside the block, where Python allows it (the main thread)."""
        previous: dict[int, Any] = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, self._handle)
        except ValueError:
            pass  # Not the main thread: signals are somebody else's.
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Generator[None]:
        """Note a first signal instead of raising."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def _handle(self, number: int, _frame: Any) -> None:
        if not self._deferring or self.received is not None:
            raise StoppedError(number)
        self.received = number
