"""What was measured since the last line of the log."""

import time
from collections.abc import Mapping

import torch
from torch import Tensor

from diffeo.world import World

__all__ = ["Window"]


class Window:
    """Means of metrics since the last report, each over the steps that had it, and the rate of steps without the pauses."""

    def __init__(self) -> None:
        self._clear()

    def add(self, metrics: Mapping[str, Tensor]) -> None:
        """Take in the metrics of one step; nothing is read back from the device yet.

        Totals are float64, in which those of float32 numbers are exact, however a run is cut or spread over processes.
        """
        for name, value in metrics.items():
            wide = value.cpu().double() if value.device.type == "mps" else value.double()  # MPS has no float64
            self.totals[name] = self.totals.get(name, 0) + wide
            self.counts[name] = self.counts.get(name, 0) + 1
        self.steps += 1
        self.last = time.perf_counter()

    def pause(self) -> None:
        """Leave out the time since the last step from the rate."""
        self.seconds += self.last - self.start
        self.start = self.last = time.perf_counter()

    def close(self, world: World) -> dict[str, float]:
        """The means over steps and processes, and a fresh start."""
        seconds = self.seconds + self.last - self.start
        means = {name: float(total) / self.counts[name] for name, total in self.merged(world).items()}
        if self.steps:
            means["steps_per_second"] = self.steps / max(seconds, 1e-9)
        self._clear()
        return means

    def merged(self, world: World) -> dict[str, Tensor]:
        """The totals, averaged over the processes.

        All of them have the same names: metrics come from the objective, whose branches depend on the step alone.
        """
        if world.size == 1 or not self.totals:
            return dict(self.totals)
        names = sorted(self.totals)  # those that were restored come in any order, another one in each process
        values = torch.stack([self.totals[name].detach().to("cpu", torch.float64) for name in names])
        return dict(zip(names, world.total(values) / world.size, strict=True))

    def restore(self, totals: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """Go on from what an earlier part of the run had measured; its steps do not count for the rate."""
        self.totals, self.counts = dict(totals), dict(counts)

    def count(self, steps: int) -> None:
        """These steps were measured by somebody else, and end now."""
        self.steps += steps
        self.last = time.perf_counter()

    def _clear(self) -> None:
        self.totals: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.steps, self.seconds = 0, 0.0
        self.start = self.last = time.perf_counter()
