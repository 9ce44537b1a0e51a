"""Schedules: exact values, and that they are functions of the progress alone."""

import math

import pytest

import diffeo
from diffeo import Progress

TOTAL = 100


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("constant", {0: 1.0, 99: 1.0}),
        ({"constant": {"warmup": 4}}, {0: 0.25, 1: 0.5, 3: 1.0, 50: 1.0}),
        ("cosine", {0: 1.0, 50: 0.5, 100: 0.0}),
        ({"cosine": {"final": 0.2}}, {0: 1.0, 50: 0.6, 100: 0.2}),
        ({"exponential": {"gamma": 0.5, "every": 10}}, {0: 1.0, 10: 0.5, 5: math.sqrt(0.5), 20: 0.25}),
        ({"exponential": {"gamma": 0.5, "every": 10, "floor": 0.3, "warmup": 10}}, {4: 0.5, 10: 1.0, 20: 0.5, 90: 0.3}),
        ({"exponential": {"gamma": 0.5, "every": 10, "warmup": 10, "hold": 20}}, {4: 0.5, 10: 1.0, 30: 1.0, 40: 0.5}),
        ({"step": {"milestones": [30, 60], "gamma": 0.1}}, {29: 1.0, 30: 0.1, 60: 0.01, 99: 0.01}),
    ],
    ids=str,
)
def test_exact_values(spec, values):
    schedule = diffeo.build("schedule", spec)
    for step, value in values.items():
        assert schedule(Progress(step, TOTAL, 1)) == pytest.approx(value)
