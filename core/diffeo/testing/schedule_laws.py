"""What schedules promise: a factor of the learning rate that is a function of the progress alone, so that it needs no saving."""

import math

from diffeo.objective import Progress
from diffeo.testing.reporting import expect
from diffeo.testing.subject import Subject

__all__ = ["factors", "pure"]

TOTALS = (1, 2, 7, 5000)
"""Steps of runs: as short as they get, and long enough for warm-ups and milestones."""


def factors(subject: Subject) -> None:
    """At every step of short and long runs the factor is a finite number that is not negative."""
    schedule = subject.make()
    for progress in _progresses():
        factor = schedule(progress)
        expect(
            "factors",
            math.isfinite(factor) and factor >= 0,
            f"expected a finite factor of at least 0 at step {progress.step} of {progress.total}; got {factor!r}",
        )


def pure(subject: Subject) -> None:
    """Asked in another order, or anew, it gives the same factors: a resumed run goes on where it was."""
    schedule, fresh, progresses = subject.make(), subject.make(), _progresses()
    first = [schedule(progress) for progress in progresses]
    for progress, factor in reversed(list(zip(progresses, first, strict=True))):
        for again in (schedule(progress), fresh(progress)):
            expect(
                "pure",
                again == factor,
                f"expected {factor!r} at step {progress.step} of {progress.total} again; got {again!r}",
            )


def _progresses() -> list[Progress]:
    return [Progress(step, total, 8) for total in TOTALS for step in range(0, total, max(1, total // 500))]
