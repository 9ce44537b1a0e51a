"""The cases that every component of this package is tested with, in the grammar of a spec. No torch here."""

from typing import Any

from diffeo.testing import Case

__all__ = ["CASES"]

BIJECTORS = "diffeo-bijectors"

COUPLINGS = {
    "flow": {
        "steps": [
            {"coupling": {"split": {"half": {"swap": swap}}, "network": {"mlp": {"hidden": [8]}}}}
            for swap in (False, True)
        ]
    }
}


def _objective(fields: Any) -> Case:
    return Case(spec={"nested_dropout": {"order": "uniform", **fields}}, model=COUPLINGS, needs=(BIJECTORS,))


CASES = [
    Case(spec="rotated_gaussian"),
    Case(spec={"rotated_gaussian": {"num_examples": 50}}),
    Case(spec={"nested_dropout": {"order": {"geometric": {"p": 0.5}}}}),
    _objective({"weight": 1.0, "units": "nats", "distance": "sum"}),
    _objective({"weight": 0.0}),
    _objective({"weight": 0.1, "latents": "reversed", "draws": 3, "unit": 2.0}),
    _objective({"weight": 0.1, "latents": "random", "every": 2, "statistics": "batch"}),
    Case(spec={"geometric": {"p": 0.33}}, shape=(3,)),
    Case(spec={"geometric": {"p": 1e-3}}, shape=(1024,)),
    Case(spec={"geometric": {"p": 1.0}}, shape=(4,)),
    Case(spec="uniform", shape=(1,)),
    Case(spec="uniform", shape=(7,)),
    Case(spec={"categorical": {"sizes": [2, 4, 1]}}, shape=(4,)),
    Case(spec={"categorical": {"sizes": [5, 1, 3], "weights": [0.5, 0.0, 1.5]}}, shape=(5,)),
]
