"""Validation while a model trains: the objective on held-out examples or draws, each process taking some of the batches."""

from contextlib import nullcontext

import torch
from torch import Tensor

from diffeo.config_spec import Trainer
from diffeo.dataset import Dataset, Target
from diffeo.objective import Loss, Progress
from diffeo.randomness import derive, seeded
from diffeo.run import Run
from diffeo.training_state import TrainingState
from diffeo.training_step import DTYPES, cast
from diffeo.world import World

__all__ = ["validate", "validation_size"]


def validation_size(run: Run) -> int:
    """How many examples a pass takes; 0 without a validation split. For a target that is the number of draws."""
    if isinstance(run.data, Target):
        return run.spec.trainer.eval_examples
    return min(run.data.size("val") or 0, run.spec.trainer.eval_examples) if isinstance(run.data, Dataset) else 0


@torch.no_grad()
def validate(run: Run, state: TrainingState, world: World) -> dict[str, float]:
    """``val/<metric>``: means over the validation examples, with the weights that would be saved; ``{}`` without a split.

    Where weights are selected by this loss, it is that of the model's own. What a target is validated on are draws with the
    same noise in every pass, so that two passes differ by the weights alone.

    Batch i goes to process i mod W with noise of its own, and every process adds all of them up in the same order: the
    result is the same for any number of processes, and a small last batch counts for as much as it holds.
    """
    size = validation_size(run)
    batches = list(torch.arange(size).split(run.spec.trainer.batch_size)) if size else []
    if not batches:
        return {}
    averaged = nullcontext() if state.ema is None else state.ema.applied()
    state.module.eval()
    with averaged:
        rows = {index: _measure(run, state, batches[index], index) for index in _own(len(batches), world)}
    state.module.train()
    return _weighted_means(rows, [len(batch) for batch in batches], world)


def _own(count: int, world: World) -> range:
    """The batches of this process; one that would have none helps with the last, so that all know the metrics' names."""
    return range(world.rank, count, world.size) if world.rank < count else range(count - 1, count)


def _measure(run: Run, state: TrainingState, indices: Tensor, number: int) -> dict[str, float]:
    trainer: Trainer = run.spec.trainer
    device = next(state.module.parameters()).device
    with seeded(derive(run.spec.seed, "validation", number)):
        examples = run.data.batch("val", indices) if isinstance(run.data, Dataset) else {}
        batch = cast(examples, DTYPES[trainer.precision], device)
        loss: Loss = state.module.forward(batch, Progress(state.step, trainer.steps, len(indices)))
    return {"loss": float(loss.value), **{name: float(value) for name, value in loss.metrics.items()}}


def _weighted_means(rows: dict[int, dict[str, float]], sizes: list[int], world: World) -> dict[str, float]:
    names = list(next(iter(rows.values())))
    table = torch.zeros(len(sizes), len(names), dtype=torch.float64)
    for number, row in rows.items():
        if number % world.size == world.rank:
            table[number] = torch.tensor([row[name] for name in names], dtype=torch.float64)
    table = world.total(table)  # every row is zero but in one process, so nothing is rounded
    weights = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
    means = (table * weights[:, None]).sum(0)
    return {f"val/{name}": float(mean) for name, mean in zip(names, means, strict=True)}
