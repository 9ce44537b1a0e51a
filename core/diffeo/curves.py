"""Training curves as SVG that scales to any width and follows the colours of the page around it.

The picture is drawn in a box of 100 x 100 that the page stretches; lines keep their width
(``vector-effect: non-scaling-stroke``) and labels are HTML at relative positions, so that text is readable on any
screen.
"""

import itertools
import math
from typing import NamedTuple

from diffeo.run_metrics import Log

__all__ = ["Chart", "Line", "Tick", "charts"]

POINTS = 500
"""Points of a line at most: about one for every second pixel of a wide screen."""

_PANELS = {
    "bits_per_dim": "Bits per dimension",
    "loss": "Loss",
    "lr": "Learning rate",
    "grad_norm": "Gradient norm",
    "steps_per_second": "Steps per second",
    "memory_mib": "Most memory so far (MiB)",
}

_FROM_ZERO = ("lr", "steps_per_second", "memory_mib")
"""Panels whose axis begins at zero and whose line is not smoothed."""


class Tick(NamedTuple):
    """A label at ``at`` percent of the axis."""

    at: float
    text: str


class Line(NamedTuple):
    """A polyline in the 100 x 100 box and the values behind it."""

    name: str
    style: str
    """``raw``, ``smooth`` or ``val``: how the page paints it."""
    points: str
    steps: list[int]
    values: list[float]


class _Frame(NamedTuple):
    """What the 100 x 100 box shows: steps 0 to ``end``, values (their decimal logarithms) from ``low`` to ``high``."""

    end: int
    low: float
    high: float
    log: bool


class Chart(NamedTuple):
    """One panel: lines, ticks, and whether its axis is logarithmic."""

    title: str
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    log: bool

    @property
    def readings(self) -> list[dict[str, object]]:
        """What the page shows at the pointer: every line, but the raw one only where there is no smooth one."""
        smooth = any(line.style == "smooth" for line in self.lines)
        return [
            {"name": line.name, "steps": line.steps, "values": line.values}
            for line in self.lines
            if not (smooth and line.style == "raw")
        ]


def charts(log: Log, *, unit: str = "bits/dim") -> list[Chart]:
    """The panels for what the run logged, the most telling first: a likelihood is shown in one unit, the reader's."""
    bits, loss = log.series.get("bits_per_dim"), log.series.get("loss")
    hidden = {"loss"} if bits is not None and loss == bits else set[str]()
    if unit == "nats" and loss is not None:
        hidden = {"bits_per_dim"}
    end = max(log.last_step, 1)
    found = [_chart(log, name, text, end) for name, text in _PANELS.items() if name not in hidden]
    return [chart for chart in found if chart is not None]


def _chart(log: Log, name: str, title: str, end: int) -> Chart | None:
    steps, values = _finite(*log.series.get(name, ([], [])))
    val_steps, val_values = _finite(*log.series.get(f"val/{name}", ([], [])))
    if len(steps) + len(val_steps) < 2:
        return None
    log_axis = name == "grad_norm" and 0 < 10 * min(values, default=0) < max(values)
    low, high = _range([*values, *val_values], zero=name in _FROM_ZERO, log=log_axis)
    noisy = name not in _FROM_ZERO and len(values) >= 20
    raw = _thin(steps, values)
    frame = _Frame(end, low, high, log_axis)
    lines = [_line("training", "raw" if noisy else "smooth", *raw, frame)] if values else []
    if noisy:
        lines.append(_line("training", "smooth", raw[0], _smooth(raw[1]), frame))
    if len(val_values) > 1:  # one point is no line
        lines.append(_line("validation", "val", *_thin(val_steps, val_values), frame))
    y_ticks = [Tick(100 - 100 * (at - low) / (high - low), text) for at, text in _ticks(low, high, log=log_axis)]
    x_ticks = [Tick(100 * at / end, text) for at, text in _ticks(0, end, log=False, whole=True)]
    return Chart(title, lines, x_ticks, y_ticks, log_axis)


def _finite(steps: list[int], values: list[float]) -> tuple[list[int], list[float]]:
    kept = [(step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    return [step for step, _ in kept], [value for _, value in kept]


def _thin(steps: list[int], values: list[float]) -> tuple[list[int], list[float]]:
    """At most ``POINTS`` points: the mean of each run of neighbours, at its last step."""
    width = math.ceil(len(values) / POINTS)
    if width <= 1:
        return steps, values
    groups = [(steps[i : i + width], values[i : i + width]) for i in range(0, len(values), width)]
    return [group[0][-1] for group in groups], [sum(group[1]) / len(group[1]) for group in groups]


def _smooth(values: list[float]) -> list[float]:
    """The mean over a thirtieth of the curve around each point, less towards the ends, so that nothing lags."""
    sums = [0.0, *itertools.accumulate(values)]
    reach, last = max(1, len(values) // 60), len(values) - 1
    halves = [min(reach, i, last - i) for i in range(len(values))]
    return [(sums[i + half + 1] - sums[i - half]) / (2 * half + 1) for i, half in enumerate(halves)]


def _range(values: list[float], *, zero: bool, log: bool) -> tuple[float, float]:
    """Limits of the axis. The top is the 97 % quantile where a few first values tower over the rest."""
    if log:
        values = [math.log10(value) for value in values]
    ordered = sorted(values)
    low, high = (min(0.0, ordered[0]) if zero else ordered[0]), ordered[-1]
    quantile = ordered[math.ceil(0.97 * (len(ordered) - 1))]
    if not zero and not log and high - low > 2 * (quantile - low) > 0:
        high = quantile
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return (low if zero else low - room), high + room


def _ticks(low: float, high: float, *, log: bool, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers inside the limits, which on a logarithmic axis are exponents: 1, 2 and 5 times powers of ten."""
    if log:
        factors = (1,) if high - low > 2 else (1, 2, 5)
        every = math.ceil((high - low) / 6)
        exponents = [exponent for exponent in range(math.floor(low), math.ceil(high) + 1) if exponent % every == 0]
        candidates = [(e + math.log10(factor), factor * 10.0**e) for e in exponents for factor in factors]
        return [(at, f"{value:g}") for at, value in candidates if low <= at <= high]
    step = max(_nice((high - low) / 4), 1.0 if whole else 0.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(step * count, _text(step * count, step)) for count in range(first, last + 1)]


def _nice(step: float) -> float:
    """The round number at or above ``step``: 1, 2, 2.5 or 5 times a power of ten."""
    magnitude = 10.0 ** math.floor(math.log10(step))
    return next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= step * 0.999)


def _text(value: float, step: float) -> str:
    """A tick as short as its neighbours allow: 20k, 1.5M, 0.005, 2e-05."""
    for unit, name in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= unit and value % 100 == 0:
            return f"{value / (1e6 if name == 'M' else 1e3):.10g}{name}"
    # Two digits beyond the ratio to the step, one for each digit of a step such as 2.5.
    digits = 3 + math.floor(math.log10(max(abs(value) / step, 1)))
    return f"{value:.{max(digits, 5)}g}"


def _line(name: str, style: str, steps: list[int], values: list[float], frame: _Frame) -> Line:
    heights = [math.log10(value) for value in values] if frame.log else values
    span = frame.high - frame.low
    pairs = [
        # Far outside the box is as good as further: keeps the numbers of a diverged run short.
        f"{100 * step / frame.end:.2f},{min(150.0, max(-50.0, 100 - 100 * (at - frame.low) / span)):.2f}"
        for step, at in zip(steps, heights, strict=True)
    ]
    return Line(name, style, " ".join(pairs), steps, [float(f"{value:.5g}") for value in values])
