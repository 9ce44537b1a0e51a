"""The state of training: raw weights, the objective's parameters, optimizer slots by parameter name, counters."""

import json
import platform
from collections.abc import Mapping
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from diffeo.best_weights import BestWeights
from diffeo.durable_files import Data, Part
from diffeo.ema import MovingAverage
from diffeo.model_files import CheckpointError, load_weights, model_parts
from diffeo.tensor_files import parse_tensors, tensor_parts
from diffeo.training_step import TrainingStep
from diffeo.window import Window

__all__ = ["TrainingState", "surroundings"]


FORMAT = 1


@attrs.define
class TrainingState:
    """Everything that changes while a model trains."""

    module: TrainingStep
    optimizer: torch.optim.Optimizer
    ema: MovingAverage | None
    best: BestWeights | None = None
    step: int = 0
    skipped_in_a_row: int = 0
    skipped: int = 0
    window: Window = attrs.field(factory=Window)
    """What was measured since the last line of the log: a resumed run finishes that line."""

    def files(
        self, model_config: Any, measured: Mapping[str, Tensor], surroundings: Mapping[str, Any]
    ) -> dict[str, Data]:
        """The contents of a checkpoint, uncopied where they are on the CPU.

        ``measured`` is the window of all processes, ``surroundings`` what the run ran on.
        """
        model = self.module.model
        tensors = dict(model.state_dict())
        if self.ema is not None:
            tensors |= self.ema.state()
        if self.best is not None:
            tensors |= self.best.state()
        state = {
            "format": FORMAT,
            "step": self.step,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "window": self.window.counts,
            "surroundings": dict(surroundings),
        } | ({} if self.best is None else {"best": self.best.facts})
        return {
            "model.safetensors": model_parts(model, model_config, tensors),
            "training.safetensors": tensor_parts(self.training_tensors() | _window_tensors(measured)),
            "state.json": json.dumps(state, indent=1, sort_keys=True).encode(),
        }

    def restore(self, files: Mapping[str, Part], source: str) -> dict[str, Any]:
        """Continue from the contents of a checkpoint; returns the surroundings it was saved in.

        Every name, shape and dtype is compared before anything is changed.
        """
        state = _read_state(files["state.json"], f"{source}/state.json")
        _, tensors = parse_tensors(files["training.safetensors"], f"{source}/training.safetensors")
        parts = _by_prefix(tensors)
        load_weights(self.module, parts["module"], f"{source}/training.safetensors")
        self._restore_optimizer(parts["optimizer"], f"{source}/training.safetensors")
        if self.ema is not None:
            self.ema.load(parse_tensors(files["model.safetensors"], f"{source}/model.safetensors")[1])
        if self.best is not None:
            self.best.load(state["best"], parse_tensors(files["model.safetensors"], f"{source}/model.safetensors")[1])
        self.step, self.skipped = state["step"], state["skipped"]
        self.skipped_in_a_row = state["skipped_in_a_row"]
        self.window.restore({name: value.clone() for name, value in parts["window"].items()}, state["window"])
        return state["surroundings"]

    def restart_average(self, model: nn.Module) -> None:
        """Begin the moving average anew from the weights as they are."""
        if self.ema is not None:
            self.ema = MovingAverage(model, self.ema.decay)

    def averages(self) -> dict[str, Tensor]:
        """The moving averages by name of the parameter in the training step; ``{}`` without them."""
        return {} if self.ema is None else {f"model.{name}": average for name, average in self.ema.state().items()}

    def set_averages(self, averages: Mapping[str, Tensor]) -> None:
        """Take over averages that were computed elsewhere; those of other modules than the model are left out."""
        if self.ema is not None:
            self.ema.load({name.removeprefix("model."): value for name, value in averages.items()})

    def training_tensors(self) -> dict[str, Tensor]:
        """Raw weights and buffers, and the optimizer's slots by parameter name."""
        tensors = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        for name, parameter in self._parameters():
            for slot, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{name}.{slot}"] = torch.as_tensor(value)
        return tensors

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]

    def _restore_optimizer(self, slots: dict[str, Tensor], source: str) -> None:
        left = dict(slots)
        found: list[tuple[nn.Parameter, str, Tensor]] = []
        for name, parameter in self._parameters():
            own = {key.rpartition(".")[2]: key for key in slots if key.rpartition(".")[0] == name}
            for slot, key in own.items():
                value = left.pop(key)
                if value.dim() and value.shape != parameter.shape:
                    raise CheckpointError(
                        f"{source}: expected {key!r} with shape {tuple(parameter.shape)}; got {tuple(value.shape)}"
                    )
                on_device = slot != "step" or self.optimizer.defaults.get("fused")
                found.append((parameter, slot, value.to(parameter.device, copy=True) if on_device else value.clone()))
        if left:
            raise CheckpointError(
                f"{source}: has optimizer state of {next(iter(left))!r}, which the model doesn't have"
            )
        for parameter, slot, value in found:
            self.optimizer.state[parameter][slot] = value

    def fingerprint(self) -> Tensor:
        """Two int64 numbers that differ if one bit of a weight or buffer does (but for collisions of about 2^-64).

        Sums, wrapping around, of the bits read as integers and of their squares, each tensor weighted by its place.
        """
        total = torch.zeros(2, dtype=torch.int64)
        for place, tensor in enumerate(self.module.state_dict().values()):
            bits = _as_integers(tensor.detach())
            total += (2 * place + 1) * torch.stack([bits.sum(), (bits * bits).sum()]).cpu()
        return total

    def not_finite(self) -> list[str]:
        """Names of weights and buffers that hold a NaN or an infinity."""
        return [
            name
            for name, tensor in self.module.state_dict().items()
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
        ]


def surroundings(processes: int, device: str, *, compiled: bool) -> dict[str, Any]:
    """What a resumed run must share with the one before it to repeat its bits."""
    return {
        "processes": processes,
        "threads": torch.get_num_threads(),
        "device": device,
        "compiled": compiled,
        "torch": str(torch.__version__),
        "machine": platform.machine(),
    }


def _window_tensors(totals: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"window.{name}": torch.as_tensor(value) for name, value in totals.items()}


_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _as_integers(tensor: Tensor) -> Tensor:
    return tensor.contiguous().view(_INTEGERS[tensor.element_size()]).to(torch.int64)


def _by_prefix(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "optimizer": {}, "window": {}}
    for name, tensor in tensors.items():
        prefix, _, rest = name.partition(".")
        parts[prefix][rest] = tensor
    return parts


def _read_state(data: Part, source: str) -> dict[str, Any]:
    state = json.loads(bytes(data))
    if state.get("format") != FORMAT:
        raise CheckpointError(
            f"{source}: expected format {FORMAT}; got {state.get('format')!r}: it was written by another version of diffeo"
        )
    return state
