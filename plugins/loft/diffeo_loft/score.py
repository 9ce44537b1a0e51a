"""The score of a flow along its sampling pass (Vaitl et al. 2024, arXiv:2403.15881).

B any batch shape, E the event shape.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Bijector, ChainBijector, Distribution, FlowModel, InvertBijector, RepeatBijector, call_step
from diffeo_bijectors import (
    AdditiveElementwise,
    AffineElementwise,
    CouplingBijector,
    PermutationBijector,
    ReshapeBijector,
    ReverseBijector,
    ScaleShiftBijector,
    ShuffleBijector,
    SoftplusBijector,
    SqueezeBijector,
)
from diffeo_loft.loft import LoftBijector, compress_score, stretch_score

__all__ = ["Draw", "Pushed", "Way", "draw_with_score", "push_generic", "push_score", "score_of"]

Way = Literal["forward", "inverse"]
"""Which of its two maps a bijector applies."""

LINEAR = (AdditiveElementwise, AffineElementwise)
"""Transforms whose slope does not depend on x."""


class Pushed(NamedTuple):
    """What comes of a point and its score in one step."""

    y: Float[Tensor, "*B_E"]
    """The image, with the graph of the step."""
    log_det: Float[Tensor, "*B"]
    score: Float[Tensor, "*B_E"]
    """The gradient with respect to y of the log-density at y; a constant to autograd."""


class Draw(NamedTuple):
    """Draws of a model with their log-density and its gradient."""

    x: Float[Tensor, "*B_E"]
    """Reparameterised."""
    log_prob: Float[Tensor, "*B"]
    score: Float[Tensor, "*B_E"]
    """d log_prob(x) / dx with the parameters held fixed; a constant to autograd."""


def score_of(log_prob: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a log-density at x, a constant to autograd."""
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        (score,) = torch.autograd.grad(log_prob(leaf).sum(), leaf)
    return score


def draw_with_score(model: Distribution, sample_shape: tuple[int, ...]) -> Draw:
    """Draws of an exact distribution; a flow carries the score along its steps, any other computes it from ``log_prob``."""
    if not isinstance(model, FlowModel):
        x, log_prob = model.sample_and_log_prob(sample_shape)
        return Draw(x, log_prob, score_of(model.log_prob, x))
    x, log_prob, score = draw_with_score(model.base, sample_shape)
    way: Way = "forward" if model.start == "base" else "inverse"
    pushed = push_steps(model.steps, Pushed(x, torch.zeros_like(log_prob), score), way)
    return Draw(pushed.y, log_prob - pushed.log_det, pushed.score)


@functools.singledispatch
def push_score(step: nn.Module, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    """Apply a bijector to draws x whose log-density has the gradient ``score``; returns image, log-det and the score there.

    With J the Jacobian of the map, that is ``J^-T (score - d log|det J| / dx)``. Steps whose inverse Jacobian is known have
    it in closed form; any other takes ``push_generic``. A plugin adds its own by ``push_score.register``. x keeps its
    graph, and so does the image; what is computed of scores leaves none.
    """
    return push_generic(cast(Bijector, step), x, score, way=way)


def push_generic(step: Bijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    """The score through any bijector: one pass back from the image, and its vector-Jacobian product.

    log q'(y) = log q(back(y)) + log|det d back / dy|,   so   score' = J_back^T score + d log|det d back / dy| / dy
    """
    there, back = (step.augment, step.inverse) if way == "forward" else (step.inverse, step.augment)
    y, log_det = call_step(there, x, None, step=step, recompute=step.recompute)
    leaf = y.detach().requires_grad_()
    with torch.enable_grad():
        origin, log_det_back = back(leaf)
        (pushed,) = torch.autograd.grad((origin * score).sum() + log_det_back.sum(), leaf)
    return Pushed(y, log_det, pushed)


def push_steps(steps: Iterable[nn.Module], start: Pushed, way: Way) -> Pushed:
    """Steps in a row, in the order that ``way`` runs them in. One that is computed again on the way back keeps nothing to
    push its score with, so it is pushed as any bijector.
    """
    x, total, score = start
    for step in steps if way == "forward" else reversed(list(steps)):
        push = push_generic if cast(Bijector, step).recompute else push_score
        x, log_det, score = push(cast(Bijector, step), x, score, way=way)
        total = total + log_det
    return Pushed(x, total, score)


def _start(step: Bijector, x: Tensor, score: Tensor) -> Pushed:
    return Pushed(x, x.new_zeros(x.shape[: x.dim() - len(step.in_shape)]), score)


@push_score.register
def _(step: ChainBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    return push_steps(step.steps, _start(step, x, score), way)


@push_score.register
def _(step: RepeatBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    pushed = _start(step, x, score)
    for steps in step.iterations if way == "forward" else reversed(step.iterations):
        pushed = push_steps(cast(nn.ModuleList, steps), pushed, way)
    return pushed


@push_score.register
def _(step: InvertBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    return push_steps(step.steps, _start(step, x, score), "inverse" if way == "forward" else "forward")


# Maps that act on entries one by one


@push_score.register
def _(step: LoftBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    y, log_det = _run(step, x, way)
    push = compress_score if way == "forward" else stretch_score
    return Pushed(y, log_det, push(x.detach(), score, step.tau))


@push_score.register
def _(step: ScaleShiftBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    y, log_det = _run(step, x, way)
    scale = step.scale()[0].detach()
    return Pushed(y, log_det, score / scale if way == "forward" else score * scale)


@push_score.register
def _(step: SoftplusBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    y, log_det = _run(step, x, way)
    positive = (x if way == "forward" else y).detach()
    shrink = torch.exp(-torch.where(step.changed, positive, 1.0))  # 1 - shrink is the derivative of softplus
    pushed = score * (1 - shrink) + shrink if way == "forward" else (score - shrink) / -torch.expm1(-positive)
    return Pushed(y, log_det, torch.where(step.changed, pushed, score))


@push_score.register(PermutationBijector)
@push_score.register(ReshapeBijector)
@push_score.register(ReverseBijector)
@push_score.register(ShuffleBijector)
@push_score.register(SqueezeBijector)
def _(step: Bijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    y, log_det = _run(step, x, way)
    return Pushed(y, log_det, _run(step, score, way)[0])  # entries change places, and their scores with them


@push_score.register
def _(step: CouplingBijector, x: Tensor, score: Tensor, *, way: Way) -> Pushed:
    """With a the kept and b the changed part, T' = exp(l) and theta = network(a):

        score'_b = exp(-l) (score_b - dl/db)      score'_a = score_a - d/da (sum(l) + <T(b), score'_b>)

    The network's graph is that of the step itself, so this costs one pass back through it and no pass forward.
    """
    with torch.enable_grad():
        kept, changed = step.split.part(x if x.requires_grad else x.detach().requires_grad_())
        transform = step.transform.forward if way == "forward" else step.transform.inverse
        moved, log_slope = transform(changed, step.params(kept))
        score_kept, score_changed = step.split.part(score)
        if not isinstance(step.transform, LINEAR):
            score_changed = score_changed - _product([log_slope], [None], changed)
        score_changed = (-log_slope.detach()).exp() * score_changed
        score_kept = score_kept - _product([log_slope, moved], [None, score_changed], kept)
    log_det = log_slope.flatten(-len(step.split.changed_shape)).sum(-1)
    return Pushed(step.split.join(kept, moved), log_det, step.split.join(score_kept, score_changed))


def _run(step: Bijector, x: Tensor, way: Way) -> tuple[Tensor, Tensor]:
    return step(x) if way == "forward" else step.inverse(x)


def _product(outputs: Sequence[Tensor], vectors: Sequence[Tensor | None], at: Tensor) -> Tensor:
    """The sum of vector-Jacobian products of outputs at a point (None: a vector of ones), zero where they do not depend on it.

    The graph stays for the backward pass of the step.
    """
    pairs = [
        (output, torch.ones_like(output) if vector is None else vector)
        for output, vector in zip(outputs, vectors, strict=True)
        if output.requires_grad
    ]
    if not pairs:
        return torch.zeros_like(at)
    found, along = zip(*pairs, strict=True)
    grads: Any = torch.autograd.grad(found, at, along, retain_graph=True, allow_unused=True)
    product: Tensor | None = grads[0]
    return torch.zeros_like(at) if product is None else product
