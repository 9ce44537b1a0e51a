"""Elementwise transforms, scales and splits under test: views as maps, and what their protocols promise besides."""

from typing import Any

import attrs
import torch
from torch import Tensor

from diffeo import Bijector
from diffeo.testing import OneWay, Subject
from diffeo_bijectors.elementwise import Elementwise
from diffeo_bijectors.scale import Scale
from diffeo_bijectors.split import Split

__all__ = [
    "any_shape",
    "elementwise_as_map",
    "identity_at_zero",
    "keeps_nan",
    "parts",
    "scale_as_map",
    "swap",
    "zero_at_zero",
]

ENTRIES = 4
"""Length of the vectors that transforms of single entries are tried on."""


class _ElementwiseMap(Bijector):
    """A transform of a vector; its parameters are the context, with the parameter axis behind the batch."""

    def __init__(self, transform: Elementwise) -> None:
        super().__init__((ENTRIES,), None, (transform.num_params, ENTRIES))
        self.transform = transform
        self.capabilities = transform.capabilities

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_derivative = self.transform(x, _first(context))
        return y, log_derivative.sum(-1)

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_derivative = self.transform.inverse(y, _first(context))
        return x, log_derivative.sum(-1)


class _ScaleMap(OneWay):
    def __init__(self, scale: Scale) -> None:
        super().__init__((ENTRIES,), (ENTRIES,), None, capabilities=scale.capabilities)
        self.scale = scale

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self.scale(x)
        return log_scale, log_scale.sum(-1)


def elementwise_as_map(transform: Elementwise) -> Bijector:
    """A transform as a bijector of vectors."""
    return _ElementwiseMap(transform)


def scale_as_map(scale: Scale) -> Bijector:
    """A scale function as a map of vectors."""
    return _ScaleMap(scale)


def identity_at_zero(subject: Subject) -> None:
    """With parameters 0 it is the identity, to rounding: networks start with outputs of zero."""
    transform: Elementwise = subject.make().double()
    x = torch.linspace(-3.0, 3.0, 25, dtype=torch.float64)
    y, log_derivative = transform(x, x.new_zeros(transform.num_params, *x.shape))
    worst = float((y - x).abs().max()), float(log_derivative.abs().max())
    assert max(worst) < 1e-9, f"identity at zero: expected y = x and log-derivative 0; got {worst} away from it"


def any_shape(subject: Subject) -> None:
    """x may have any shape, that of a single number included; results have it, too."""
    transform: Elementwise = subject.make()
    for shape in ((), (1,), (2, 3), (0, 2)):
        for call in (transform.forward, transform.inverse):
            results = call(torch.zeros(shape), torch.zeros(transform.num_params, *shape))
            got = [tuple(value.shape) for value in results]
            assert got == [shape, shape], f"any shape: expected two results of shape {shape}; got {got}"


def zero_at_zero(subject: Subject) -> None:
    """A raw output of 0 gives a log-scale of exactly 0."""
    scale: Scale = subject.make()
    got = float(scale(torch.zeros(())).detach())
    assert got == 0, f"zero at zero: expected a log-scale of 0 for a raw output of 0; got {got:g}"


def keeps_nan(subject: Subject) -> None:
    """NaN stays NaN, so that a filter downstream sees it."""
    scale: Scale = subject.make()
    got = float(scale(torch.tensor(float("nan"))).detach())
    assert got != got, f"keeps nan: expected NaN for a raw output of NaN; got {got:g}"


def parts(subject: Subject) -> None:
    """``join`` undoes ``part`` and the other way round, for flat, shaped and empty batches; the shapes are those promised."""
    split: Split = subject.make()
    for batch in ((), (2,), (2, 3), (0,)):
        x = torch.randn(*batch, *split.shape)
        kept, changed = split.part(x)
        got = tuple(kept.shape), tuple(changed.shape)
        want = (*batch, *split.kept_shape), (*batch, *split.changed_shape)
        assert got == want, f"parts, batch {batch}: expected shapes {want}; got {got}"
        assert 0 not in (*split.kept_shape, *split.changed_shape), f"parts: expected two parts; got {want}"
        assert torch.equal(split.join(kept, changed), x), f"parts, batch {batch}: expected join(*part(x)) to be x"
        again = split.part(split.join(-kept, 2.0 * changed))
        holds = torch.equal(again[0], -kept) and torch.equal(again[1], 2.0 * changed)
        assert holds, f"parts, batch {batch}: expected part(join(a, b)) to be (a, b); got other parts"


def swap(subject: Subject) -> None:
    """With ``swap`` in its config the two parts change roles."""
    if "swap" not in attrs.fields_dict(type(subject.config)):
        return
    split, x = subject.make(), torch.randn(3, *_shape(subject))
    swapped = attrs.evolve(subject.config, swap=not subject.config.swap)
    other = subject.component.load_implementation()(swapped, _shape(subject))
    (kept, changed), (other_kept, other_changed) = split.part(x), other.part(x)
    holds = torch.equal(kept, other_changed) and torch.equal(changed, other_kept)
    assert holds, "swap: expected the parts of the other split in exchanged roles; got others"


def _shape(subject: Subject) -> tuple[int, ...]:
    assert subject.case.shape is not None
    return subject.case.shape


def _first(context: Tensor | None) -> Any:
    """Parameters ``(*B, P, D)`` as a transform takes them: ``(P, *B, D)``."""
    assert context is not None
    return context.movedim(-2, 0)
