"""From a run to what its loop works with: device, precision, optimizer, schedule; whatever does not fit fails here."""

import attrs
import torch
from torch import nn

from diffeo.augmenter import Augmenter
from diffeo.best_weights import BestWeights
from diffeo.building import make
from diffeo.config_spec import Trainer
from diffeo.ema import MovingAverage
from diffeo.gradients import batch_norms
from diffeo.run import Run
from diffeo.schedules import Schedule
from diffeo.step_trace import flow_parts
from diffeo.training_state import TrainingState
from diffeo.training_step import TrainingStep, set_precision
from diffeo.validation import validation_size
from diffeo.world import World
from diffeo_registry import BuildError

__all__ = ["Setup", "set_up", "trainable_parameters"]


@attrs.frozen
class Setup:
    """What a loop works with."""

    device: torch.device
    schedule: Schedule
    parameters: list[nn.Parameter]
    state: TrainingState


def set_up(run: Run, world: World) -> Setup:
    """Move the model to its device and precision and make its optimizer; raises ``BuildError`` for what does not fit."""
    config: Trainer = run.spec.trainer
    device = torch.device(_device(config.device, world))
    module = TrainingStep(run.model, run.objective)
    set_precision(module, config.precision)
    module.to(device)
    _require_fit(config, module, world)
    if config.select == "lowest_val_loss" and not validation_size(run):
        message = (
            "expected data with a validation split, or a target, and eval_examples > 0; got nothing to validate on"
        )
        raise BuildError(message, ("trainer", "select"))
    if config.memory == "checkpoint":
        for _, part in flow_parts(module):
            if isinstance(part, Augmenter):
                part.recompute = True
    schedule: Schedule = make(config.schedule, at=("trainer", "schedule"))
    parameters = trainable_parameters(module)
    optimizer: torch.optim.Optimizer = make(config.optimizer, parameters, at=("trainer", "optimizer"))
    ema = None if config.ema is None else MovingAverage(run.model, config.ema)
    best = None if config.select == "last" else BestWeights(run.model)
    return Setup(device, schedule, parameters, TrainingState(module=module, optimizer=optimizer, ema=ema, best=best))


def trainable_parameters(module: nn.Module) -> list[nn.Parameter]:
    """What an optimizer changes of a model and its objective; raises ``BuildError`` if that is nothing."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise BuildError("expected a model with trainable parameters; got none", ("model",))
    return parameters


def _require_fit(config: Trainer, module: nn.Module, world: World) -> None:
    """Raise unless the batch divides, and strict mode can keep its promise."""
    if config.strict:
        if config.shards % world.size:
            message = f"expected a multiple of the number of processes, {world.size}; got {config.shards}"
            raise BuildError(message, ("trainer", "shards"))
        norms = [name for name, part in module.named_modules() if part in batch_norms(module)]
        if norms:
            message = (
                f"expected a model without batch normalisation, whose statistics are those of one process; got it in {norms[0]}"
                " (conv_resnet has norm: none)"
            )
            raise BuildError(message, ("trainer", "strict"))
    elif config.batch_size % (config.accumulate * world.size):
        message = (
            f"expected a multiple of the number of processes times accumulate, {world.size} x {config.accumulate}; "
            f"got {config.batch_size}"
        )
        raise BuildError(message, ("trainer", "batch_size"))


def _device(name: str, world: World) -> str:
    """A device that is there, every process of a machine its own GPU; raises ``BuildError`` for any other."""
    if name == "auto":
        return f"cuda:{world.local_rank}" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{world.local_rank}"
    try:
        torch.zeros((), device=name).item()  # read back, which the device meta cannot
    except (RuntimeError, AssertionError, ImportError) as error:  # what torch raises depends on the device
        reason = str(error).splitlines()[0].split(". ")[0] if str(error) else type(error).__name__
        raise BuildError(f"expected a device of this machine; got {name!r}: {reason}", ("trainer", "device")) from error
    return name
