"""What was measured since the last line of the log."""

import time

from torch import Tensor

__all__ = ["Window"]


class Window:
    """Means of metrics since the last report, and the rate of steps without the pauses in between."""

    def __init__(self) -> None:
        self._clear()

    def add(self, metrics: dict[str, Tensor]) -> None:
        """Take in the metrics of one step; nothing is read back from the device yet."""
        for name, value in metrics.items():
            self.totals[name] = self.totals.get(name, 0) + value
        self.steps += 1
        self.last = time.perf_counter()

    def pause(self) -> None:
        """Leave out the time since the last step from the rate."""
        self.seconds += self.last - self.start
        self.start = self.last = time.perf_counter()

    def close(self) -> dict[str, float]:
        """The means, and a fresh start."""
        seconds = self.seconds + time.perf_counter() - self.start
        means = {name: float(total) / self.steps for name, total in self.totals.items()}
        means["steps_per_second"] = self.steps / max(seconds, 1e-9)
        self._clear()
        return means

    def _clear(self) -> None:
        self.totals: dict[str, Tensor] = {}
        self.steps, self.seconds = 0, 0.0
        self.start = self.last = time.perf_counter()
