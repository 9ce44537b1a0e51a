"""Time several functions in turn, so that whatever else the machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable

import torch

__all__ = ["interleave", "report"]


def interleave(functions: dict[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Seconds of each call, by name: each round calls every function once, in order; the first rounds are dropped."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(rounds + warm_up):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if round_ >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(title: str, seconds: dict[str, list[float]], base: str) -> None:
    """Print medians and minima with their ratios to those of ``base``, fastest first."""
    print(f"{title}  ({len(seconds[base])} rounds, {torch.get_num_threads()} threads, torch {torch.__version__})")
    middle, least = statistics.median(seconds[base]), min(seconds[base])
    for name, times in sorted(seconds.items(), key=lambda item: statistics.median(item[1])):
        median, shortest = statistics.median(times), min(times)
        print(
            f"  {name:20s} median {1e3 * median:9.2f} ms ({median / middle:5.2f} x {base})"
            f"   least {1e3 * shortest:9.2f} ms ({shortest / least:5.2f} x)"
        )
