import attrs

from diffeo.testing import Case
from diffeo_registry import field


def _config(name: str) -> type:
    return attrs.make_class(name, {}, frozen=True, kw_only=True)


@attrs.frozen(kw_only=True)
class Needy:
    size: int = field(help="Required.")


NAMES = """Right Kinked WrongSign NoLogDet ShiftedInverse ForgetsContext UsesContext UnusedParameter SinglePrecision
Overwrites LeaksBatch SquareRoot LosesState RandomInverse WrongBackward Branches StaysBehind Undocumented FallsOver
PairsOnly Excused Overexcused Misnamed Widen Biased Rounds Fold HalfFold Plain Deaf Loud Wide Heavy Cold Likelihood Sums
Forgets Dots Moody Overlapping Lies Bowl Pooled Detached
Rolling Stubborn Forgetful Steady Counting Plunging"""

for _name in NAMES.split():
    globals()[_name] = _config(_name)

KNOWN = {"round_trip": "the inverse is off on purpose", "composition": "the inverse is off on purpose"}
CASES = [
    Case(spec="excused", shape=(5,), expected_failures={**KNOWN, "sampling": "the inverse is off on purpose"}),
    Case(spec="overexcused", shape=(5,), expected_failures={"round_trip": "it used to be off"}),
    Case(spec="misnamed", shape=(5,), expected_failures={"roundtrip": "a slip of the pen"}),
]
