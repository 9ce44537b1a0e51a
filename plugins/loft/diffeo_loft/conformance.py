"""The cases that every component of this package is tested with, in the grammar of a spec. No torch here.

Those of targets and evaluators are in tables of their own.
"""

from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]

VECTOR, CONTEXT = (5,), (3,)
TWO_MLPS = {"two_mlps": {"hidden": [8]}}


def _coupling(split: Any) -> dict[str, Any]:
    return {"coupling": {"split": split, "transform": {"affine": {"scale": "soft_clamp"}}, "network": TWO_MLPS}}


POSTERIOR = {
    "flow": {
        "start": "base",
        "steps": [_coupling("alternate"), _coupling({"alternate": {"swap": True}}), "loft", "scale_shift"],
        "base": "student_t",
    }
}
"""The proposed flow, as short as can be."""

BIJECTORS = [
    Case(spec={"loft": {"tau": 0.5}}, shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"loft": {"tau": 0.01}}, shape=(2, 2, 3)),
]

PARTS = [
    Case(spec="soft_clamp"),
    Case(spec={"soft_clamp": {"negative": 0.1, "positive": 0.1}}),
    Case(spec="two_mlps", shape=(3,), out_shape=(2,)),
    Case(spec=TWO_MLPS, shape=(2, 4), out_shape=(6, 2), context_shape=CONTEXT),
    Case(spec={"two_mlps": {"hidden": []}}, shape=(3,), out_shape=(4,), context_shape=(2, 2)),
]

DISTRIBUTIONS = [
    Case(spec="student_t", shape=VECTOR, context_shape=CONTEXT),
    Case(spec={"student_t": {"df": 4.0, "trainable_loc_scale": True}}, shape=(2,)),
    Case(spec={"student_t": {"trainable_df": False}}, shape=(2, 3)),
]

OBJECTIVES = [
    Case(spec={"reverse_kl": fields}, data={"funnel": {"dim": 3}}, model=POSTERIOR)
    for fields in (
        {"gradient": "total"},
        {"gradient": "path"},
        {"gradient": "fast_path", "anneal": True, "anneal_steps": 2},
        {"gradient": "fast_path", "filter": False},
    )
]

CASES = [*BIJECTORS, *PARTS, *DISTRIBUTIONS, *OBJECTIVES]
