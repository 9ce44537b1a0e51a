"""How the gradient of one step comes about: over micro-batches and processes, or over shards in a fixed order."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from diffeo.objective import Loss, Progress
from diffeo.randomness import derive, seed_device
from diffeo.run import RunError
from diffeo.training_step import TrainingStep
from diffeo.world import World

__all__ = ["Gradients", "MeanGradients", "ShardGradients", "micro_batches", "shards"]

Fetch = Callable[[int, int], dict[str, Tensor]]
"""(step, part) -> the batch of that part, on the device."""

EXCHANGED_AT_ONCE = 2**22
"""Numbers of each shard's gradient that travel together in strict mode: bounds the memory of the exchange."""


class Gradients(Protocol):
    """Puts the gradient of a step into ``.grad`` of every parameter, the same in every process."""

    def __call__(self, step: int, progress: Progress) -> dict[str, Tensor]:
        """Loss and metrics of the step, on the device."""
        ...

    def seed(self, step: int, part: int) -> None:
        """Seed the generators for one part of a step, if it begins there."""
        ...


class MeanGradients:
    """The mean over micro-batches and processes: plain backward passes, averaged by DDP on the last one.

    Noise is a function of (seed, step, rank).
    """

    def __init__(self, module: TrainingStep, fetch: Fetch, parts: int, world: World, seed: int) -> None:
        self.module, self.fetch, self.parts, self.world, self._seed = module, fetch, parts, world, seed
        self.device = next(module.parameters()).device
        self.wrapped: nn.Module = module if world.size == 1 else wrap(module, world)
        self._checked = world.size == 1

    def __call__(self, step: int, progress: Progress) -> dict[str, Tensor]:
        totals: dict[str, Tensor] = {}
        for part in range(self.parts):
            self.seed(step, part)
            with self._exchange(last=part == self.parts - 1):
                loss: Loss = self.wrapped(self.fetch(step, part), progress)
                (loss.value / self.parts).backward()
            for name, value in {"loss": loss.value, **loss.metrics}.items():
                totals[name] = totals.get(name, 0) + value.detach() / self.parts
        self._check_all_took_part()
        return totals

    def seed(self, step: int, part: int) -> None:
        """Once a step: what micro-batches draw follows one another."""
        if part == 0:
            seed_device(derive(self._seed, "noise", step, self.world.rank), self.device)

    def _exchange(self, *, last: bool) -> Any:
        """Gradients travel once a step: all passes but the last only add to them."""
        if last or not isinstance(self.wrapped, DistributedDataParallel):
            return nullcontext()
        return self.wrapped.no_sync()

    def _check_all_took_part(self) -> None:
        """Name what has no gradient after the first step: the second would wait for it, and say so less clearly."""
        if self._checked:
            return
        self._checked = True
        idle = [name for name, p in self.module.named_parameters() if p.requires_grad and p.grad is None]
        if idle:
            raise RunError(
                f"expected every trainable parameter to take part in a step; got none of {', '.join(idle[:5])}"
                f"{' and others' if len(idle) > 5 else ''}: several processes cannot train it"
            )


class ShardGradients:
    """The sum over a fixed number of shards in a fixed order: the same bits for any number of processes.

        gradient = (1/V) (((g_0 + g_1) + g_2) + ...),    g_v the gradient of shard v

    Each of W processes computes V / W neighbouring shards, one at a time; noise is a function of (seed, step, shard). Then
    all gradients go to all processes, which add them up alike. Memory: V / W gradients, and V times a slice of them.
    """

    def __init__(self, module: TrainingStep, fetch: Fetch, total: int, world: World, seed: int) -> None:
        self.module, self.fetch, self.total, self.world, self._seed = module, fetch, total, world, seed
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.own = total // world.size

    def __call__(self, step: int, progress: Progress) -> dict[str, Tensor]:
        gradients: list[Tensor] = []
        metrics: list[dict[str, Tensor]] = []
        for part in range(self.own):
            self.seed(step, part)
            loss: Loss = self.module(self.fetch(step, part), progress)
            loss.value.backward()
            gradients.append(flatten([_gradient(p) for p in self.parameters]))
            for parameter in self.parameters:
                parameter.grad = None
            metrics.append({"loss": loss.value.detach(), **{k: v.detach() for k, v in loss.metrics.items()}})
        self._assign(self._mean(torch.stack(gradients)))
        names = list(metrics[0])
        values = torch.stack([torch.stack([row[name].double() for name in names]) for row in metrics])
        return dict(zip(names, self._mean(values).to(self.device), strict=True))

    def seed(self, step: int, part: int) -> None:
        """Every shard has a seed of its own."""
        shard = self.world.rank * self.own + part
        seed_device(derive(self._seed, "noise", step, "shard", shard), self.device)

    def _mean(self, rows: Tensor) -> Tensor:
        """Mean over the shards of all processes, added up from the first to the last."""
        slices = [self._mean_of(columns) for columns in rows.split(EXCHANGED_AT_ONCE, dim=1)]
        return torch.cat(slices)

    def _mean_of(self, rows: Tensor) -> Tensor:
        everyone = [row for block in self.world.gather(rows, in_step=True) for row in block]
        total = everyone[0].clone()
        for row in everyone[1:]:
            total += row
        return total / self.total

    def _assign(self, flat: Tensor) -> None:
        sizes = [p.numel() for p in self.parameters]
        for parameter, part in zip(self.parameters, flat.to(self.device).split(sizes), strict=True):
            parameter.grad = part.reshape(parameter.shape)


def wrap(module: TrainingStep, world: World) -> DistributedDataParallel:
    """The module whose backward pass averages gradients over the processes.

    Buffers are not sent around: those that change in training are averaged after each step (``average_statistics``).
    """
    device = next(module.parameters()).device
    known = inspect.signature(DistributedDataParallel).parameters
    sync_buffers = (
        "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    )  # before torch 2.13
    settings: dict[str, Any] = {sync_buffers: False, "gradient_as_bucket_view": True, "process_group": world.group}
    return DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None, **settings)


def average_statistics(module: nn.Module, world: World) -> None:
    """Give batch normalisation's running statistics, of which every process has its own, the mean over processes."""
    buffers = [buffer for norm in batch_norms(module) for buffer in norm.buffers() if buffer.is_floating_point()]
    if world.size == 1 or not buffers:
        return
    mean = world.total(flatten(buffers), in_step=True) / world.size
    for buffer, part in zip(buffers, mean.split([buffer.numel() for buffer in buffers]), strict=True):
        buffer.copy_(part.reshape(buffer.shape))


def batch_norms(module: nn.Module) -> list[nn.Module]:
    """The layers whose output for one example depends on the others of its batch."""
    return [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]  # pyright: ignore[reportPrivateUsage]


def micro_batches(batch_size: int, count: int, world: World) -> list[slice]:
    """This process's slice of each micro-batch of the global batch."""
    micro, own = batch_size // count, batch_size // (count * world.size)
    starts = [index * micro + world.rank * own for index in range(count)]
    return [slice(start, start + own) for start in starts]


def shards(batch_size: int, count: int, world: World) -> list[slice]:
    """This process's shards of the global batch: neighbours, in order."""
    size, own = batch_size // count, count // world.size
    first = world.rank * own
    return [slice(index * size, (index + 1) * size) for index in range(first, first + own)]


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """One vector of all entries."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
