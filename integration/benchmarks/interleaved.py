"""Time several functions in turn, so that whatever else the machine does falls on all of them alike."""

import ctypes
import platform
import statistics
import time
from collections.abc import Callable

import torch

__all__ = ["interleave", "report"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


def interleave(functions: dict[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Seconds of each call, by name: each round calls every function once, in order; the first rounds are dropped."""
    keep_freed_memory()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(rounds + warm_up):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if round_ >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def keep_freed_memory() -> None:
    """Stop the C library from handing freed memory back, here where it is glibc.

    Whether it does depends on what happens to lie at the end of the heap; a step then pays thousands of page faults (6% of the
    time was measured) for what the function before it allocated.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)


def report(title: str, seconds: dict[str, list[float]], base: str) -> None:
    """Print medians, fastest first; ratios to ``base`` within a round (median and quartiles), and of the least times."""
    print(f"{title}  ({len(seconds[base])} rounds, {torch.get_num_threads()} threads, torch {torch.__version__})")
    least = min(seconds[base])
    for name, times in sorted(seconds.items(), key=lambda item: statistics.median(item[1])):
        ratios = [time / reference for time, reference in zip(times, seconds[base], strict=True)]
        low, middle, high = torch.quantile(torch.tensor(ratios), torch.tensor([0.25, 0.5, 0.75])).tolist()
        print(
            f"  {name:20s} median {1e3 * statistics.median(times):9.2f} ms"
            f"   {middle:5.2f} x {base} (half of the rounds {low:.2f} to {high:.2f}; least times {min(times) / least:.2f})"
        )
