"""Whether seeds can be trained as one batch of models, and why not.

What can be told from the spec is asked first. Everything else is tried, on one step and before anything is written: a component
of any plugin may draw noise, count its calls, or keep a number that its seed decides outside of its tensors.
"""

from collections.abc import Sequence
from typing import cast

import attrs
import torch
from torch import Tensor

from diffeo.config_spec import Spec, Trainer
from diffeo.noise import Draw
from diffeo.objective import Loss, Progress
from diffeo.seed_step import Noise, SeedStep, Tensors
from diffeo.trainer import Loop
from diffeo.world import World

__all__ = [
    "BatchRefusedError",
    "draws_of",
    "reason_of",
    "require_separable",
    "require_suitable",
    "require_suitable_model",
]

LARGEST = 200_000
"""Parameters of one model up to which a batch of models pays: the larger single operations are, the better they keep a core busy.
Compiled and with batches of 64, a step of one seed is 7 times faster than alone with 51,000 parameters, 3 times with 200,000 and
1.5 to 1.9 times with 800,000 (integration/benchmarks/seeds.py with --hidden 128, 256, 512)."""

NARROW = 1_000
"""Parameters of a tensor, in the mean, up to which it pays for larger models as well: a deep flow of narrow layers is nothing but
small operations. A Glow of the plane with 20 steps, 216,320 parameters in tensors of 676, takes 22 ms for a compiled step of five
seeds, and 76 ms for that of one alone."""

ELEMENTWISE = (torch.optim.Adam, torch.optim.AdamW, torch.optim.Adamax, torch.optim.SGD)
"""Optimizers whose step for one number depends on that number's own gradients alone: one of them for all seeds is one for each."""

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-8}
"""How far a batch of models may be from its single models: rounding, where a step amplifies it. What is wrong is wrong by more."""


class BatchRefusedError(Exception):
    """Why these seeds cannot be trained as one batch of models; they are trained one after another then."""


def require_suitable(specs: Sequence[Spec], world: World) -> None:
    """Raise if the specs say that there is no batch of them."""
    if len(specs) < 2:
        raise BatchRefusedError("there is one only")
    if world.size > 1:
        raise BatchRefusedError("several processes train each seed together")
    if any(attrs.evolve(spec, seed=0) != attrs.evolve(specs[0], seed=0) for spec in specs):
        raise BatchRefusedError("their specs differ in more than the seed")
    trainer: Trainer = specs[0].trainer
    reasons = {
        "trainer.accumulate": trainer.accumulate > 1,
        "trainer.strict": trainer.strict,
        "trainer.memory: checkpoint": trainer.memory == "checkpoint",
        "trainer.precision: bfloat16": trainer.precision == "bfloat16",
        "trainer.nonfinite: skip": trainer.nonfinite == "skip",
        f"trainer.select: {trainer.select}": trainer.select != "last",
    }
    for reason, holds in reasons.items():
        if holds:
            raise BatchRefusedError(f"a batch of models has no {reason}")


def require_suitable_model(loop: Loop) -> None:
    """Raise if models of this size, or this optimizer, are better off alone."""
    count = sum(parameter.numel() for parameter in loop.parameters)
    if count > max(LARGEST, NARROW * len(loop.parameters)):
        raise BatchRefusedError(f"the model has {count:,} parameters; up to {LARGEST:,} of them gain")
    optimizer = loop.state.optimizer
    if type(optimizer) not in ELEMENTWISE or len(optimizer.param_groups) > 1:
        raise BatchRefusedError(f"{type(optimizer).__name__} is not known to treat every number by itself")


def draws_of(step: SeedStep, batches: Tensors, progress: Progress) -> list[Draw]:
    """The noise a step asks for."""
    try:
        with torch.random.fork_rng():
            return step.draws({name: batch[0] for name, batch in batches.items()}, progress)
    except Exception as error:
        raise BatchRefusedError(reason_of(error)) from error


def require_separable(
    step: SeedStep,
    loops: Sequence[Loop],
    theta: Tensor,
    buffers: Tensors,
    batches: Tensors,
    noise: Noise,
    progress: Progress,
) -> None:
    """Raise unless one step of the batch is what one step of each model is; nothing is changed by trying."""
    try:
        with torch.random.fork_rng():
            changed = step.changed_buffers(theta, buffers, batches, noise, progress)
            if changed:
                raise BatchRefusedError(f"a step changes the buffer {changed[0]}")
            _require_equal(step, loops, step.gradients(theta, buffers, batches, noise, progress), batches, progress)
    except BatchRefusedError:
        raise
    except Exception as error:
        raise BatchRefusedError(reason_of(error)) from error


def reason_of(error: Exception) -> str:
    """What to tell of a step that could not be computed for all seeds at once; if it has a mistake, a single run will show it."""
    if "randomness" in str(error):
        return "the step draws noise, which a batch of models would draw otherwise"
    return f"the step cannot be batched ({next(iter(str(error).splitlines()), type(error).__name__)})"


def _require_equal(
    step: SeedStep, loops: Sequence[Loop], batched: tuple[Tensor, Loss], batches: Tensors, progress: Progress
) -> None:
    """Compare every seed's loss, and the first one's gradient, with those of its own module."""
    gradient, losses = batched
    for row, loop in enumerate(loops):
        loop.module.train()
        loop.gradients.seed(progress.step, 0)
        with torch.set_grad_enabled(row == 0):
            loss: Loss = loop.module.forward({name: batch[row] for name, batch in batches.items()}, progress)
        if row == 0:
            own = cast(Sequence[Tensor | None], torch.autograd.grad(loss.value, loop.parameters, allow_unused=True))
            idle = [name for name, part in zip(step.names, own, strict=True) if part is None]
            if idle:
                raise BatchRefusedError(f"the parameter {idle[0]} takes no part in a step")
            _require_close(step.flatten([part for part in own if part is not None]), gradient[0])
        _require_close(loss.value.detach(), losses.value[row].detach())


def _require_close(one: Tensor, batched: Tensor) -> None:
    """Raise if two results are further apart than rounding can be; one that is not finite is left to the step to tell."""
    difference, size = (float(torch.linalg.vector_norm(tensor)) for tensor in (one - batched, one))
    if difference > TOLERANCE[one.dtype] * (1 + size):
        raise BatchRefusedError("the models differ in more than their tensors")
