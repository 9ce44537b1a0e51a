"""The state of training: raw weights, the objective's parameters, optimizer slots by parameter name, counters."""

import json
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors.torch import save as serialize_tensors
from torch import Tensor, nn

from diffeo.ema import MovingAverage
from diffeo.model_files import CheckpointError, load_weights, model_bytes, read_tensors
from diffeo.training_step import TrainingStep

__all__ = ["TrainingState"]


@attrs.define
class TrainingState:
    """Everything that changes while a model trains."""

    module: TrainingStep
    optimizer: torch.optim.Optimizer
    ema: MovingAverage | None
    step: int = 0
    skipped: int = 0

    def files(self, model_config: Any) -> dict[str, bytes]:
        """The contents of a checkpoint."""
        model = self.module.model
        tensors = dict(model.state_dict())
        if self.ema is not None:
            tensors |= self.ema.state()
        state = {"format": 1, "step": self.step, "skipped": self.skipped}
        return {
            "model.safetensors": model_bytes(model, model_config, _on_cpu(tensors)),
            "training.safetensors": serialize_tensors(_on_cpu(self._training_tensors())),
            "state.json": json.dumps(state, indent=1, sort_keys=True).encode(),
        }

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint folder."""
        _, tensors = read_tensors(folder / "training.safetensors")
        source = str(folder / "training.safetensors")
        slots = {name.removeprefix("optimizer."): t for name, t in tensors.items() if name.startswith("optimizer.")}
        weights = {name.removeprefix("module."): t for name, t in tensors.items() if name.startswith("module.")}
        load_weights(self.module, weights, source)
        self._restore_optimizer(slots, source)
        if self.ema is not None:
            self.ema.load(read_tensors(folder / "model.safetensors")[1])
        state = json.loads((folder / "state.json").read_text())
        self.step, self.skipped = state["step"], state["skipped"]

    def _training_tensors(self) -> dict[str, Tensor]:
        tensors = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        for name, parameter in self._parameters():
            for slot, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{name}.{slot}"] = torch.as_tensor(value)
        return tensors

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]

    def _restore_optimizer(self, slots: dict[str, Tensor], source: str) -> None:
        left = dict(slots)
        for name, parameter in self._parameters():
            own = {key.rpartition(".")[2]: key for key in slots if key.rpartition(".")[0] == name}
            for slot, key in own.items():
                value = left.pop(key)
                if value.dim() and value.shape != parameter.shape:
                    raise CheckpointError(
                        f"{source}: expected {key!r} with shape {tuple(parameter.shape)}; got {tuple(value.shape)}"
                    )
                on_device = slot != "step" or self.optimizer.defaults.get("fused")
                self.optimizer.state[parameter][slot] = value.to(parameter.device) if on_device else value
        if left:
            raise CheckpointError(
                f"{source}: has optimizer state of {next(iter(left))!r}, which the model doesn't have"
            )


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
