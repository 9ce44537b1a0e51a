"""The laws of a bijector among others and in a flow: compositions, densities, samples."""

from typing import Any

import torch

from diffeo.testing.composition import check_chain, check_combinators
from diffeo.testing.densities import (
    box_around_mass,
    check_log_prob_of_samples,
    check_normalized,
    check_sampled_density,
)
from diffeo.testing.map_laws import built, slack
from diffeo.testing.random_parameters import randomize
from diffeo.testing.subject import PLANE, Subject
from diffeo_registry import Slot, installed, structure

__all__ = ["composition", "integral", "sampled_density", "sampling"]

GENTLE = 0.3
"""Parameters of a density are moved less than those of a map: its mass must lie inside a box that can be integrated over."""


def composition(subject: Subject) -> None:
    """Behind and in front of every built-in step that fits, and inside chain, repeat and invert, the laws hold."""
    bijector, inputs = built(subject)
    scale, loose = subject.case.scale, slack(bijector)
    check_chain(bijector, inputs, scale=scale, atol=1e-8 * loose)
    check_combinators(subject.config, bijector, inputs, scale=scale, slack=loose)


def sampling(subject: Subject) -> None:
    """In a flow, the log-density that comes with a draw is ``log_prob`` of that draw."""
    flow, context = _flow(subject), None
    if subject.case.context_shape is not None:
        context = subject.inputs(subject.map()).context
    check_log_prob_of_samples(flow, context, atol=1e-8 * slack(subject.map()))


def sampled_density(subject: Subject) -> None:
    """In the plane, draws of a flow fall into cells as often as the integral of its density says."""
    check_sampled_density(_flow(subject, plane=True))


def integral(subject: Subject) -> None:
    """In the plane, the density of a flow integrates to 1: to 1%, since across a jump the midpoint rule is no better."""
    flow = _flow(subject, plane=True)
    x, y = box_around_mass(flow, subject.map(shape=PLANE, context_shape=None).capabilities.domain)
    check_normalized(flow.log_prob, x=x, y=y, points=600, atol=1e-2)


def _flow(subject: Subject, *, plane: bool = False) -> Any:
    """A flow made of this one step and a standard normal."""
    shapes = (PLANE, None) if plane else (subject.case.shape, subject.case.context_shape)
    spec = {"flow": {"steps": [subject.config], "base": "standard_normal"}}
    config = structure(spec, Slot("model"), registry=installed())
    implementation = installed().of(config).load_implementation()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return randomize(implementation(config, *shapes), 1, GENTLE).double().eval()
