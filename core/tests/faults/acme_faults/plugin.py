"""Components with one fault each, and right ones beside them, to try the conformance kit on."""

from diffeo_registry import Component, hookimpl

BIJECTORS = [
    "Right",
    "Kinked",
    "WrongSign",
    "NoLogDet",
    "ShiftedInverse",
    "ForgetsContext",
    "UsesContext",
    "UnusedParameter",
    "SinglePrecision",
    "Overwrites",
    "LeaksBatch",
    "SquareRoot",
    "LosesState",
    "RandomInverse",
    "WrongBackward",
    "Branches",
    "StaysBehind",
    "Undocumented",
    "FallsOver",
    "PairsOnly",
    "Needy",
    "Excused",
    "Overexcused",
    "Misnamed",
]


def record(kind: str, name: str, **fields: str) -> Component:
    spelt = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    return Component(
        kind=kind,
        name=spelt,
        config=f"acme_faults.config:{name}",
        implementation=f"acme_faults.{kind}s:{name}",
        summary="For tests.",
        **fields,
    )


@hookimpl
def diffeo_components():
    own = {"Excused", "Overexcused", "Misnamed"}
    cases = "acme_faults.config:CASES"
    return [
        *(record("bijector", name, **({"cases": cases} if name in own else {})) for name in BIJECTORS),
        *(record("augmenter", name) for name in ("Widen", "Biased", "Rounds", "Fold", "HalfFold")),
        *(record("network", name) for name in ("Plain", "Deaf", "Loud")),
        *(record("distribution", name) for name in ("Wide", "Heavy", "Cold")),
        *(record("objective", name) for name in ("Likelihood", "Sums", "Forgets")),
        *(record("target", name) for name in ("Bowl", "Pooled", "Detached")),
        *(record("optimizer", name) for name in ("Rolling", "Stubborn", "Forgetful")),
        *(record("schedule", name) for name in ("Steady", "Counting", "Plunging")),
        *(record("dataset", name) for name in ("Dots", "Moody", "Overlapping", "Lies")),
    ]
