"""The training step: one module whose forward is everything that is differentiated."""

from typing import Any

import torch
from torch import Tensor, nn

from diffeo.network import Network
from diffeo.objective import Loss, Objective, Progress

__all__ = ["DTYPES", "TrainingStep", "set_precision"]

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}
"""Precision as written in a spec -> dtype of parameters, data and log-dets."""


class TrainingStep(nn.Module):
    """Model and objective in one module; distributed and compiled training wrap this and nothing inside it."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: dict[str, Tensor], progress: Progress) -> Loss:
        return self.objective(self.model, batch, progress)


def set_precision(module: nn.Module, precision: str) -> None:
    """Cast parameters and buffers; for bfloat16 turn autocast on inside conditioner networks, and nowhere else."""
    module.to(DTYPES[precision])
    for part in module.modules():
        if isinstance(part, Network):
            part.autocast_dtype = torch.bfloat16 if precision == "bfloat16" else None


def cast(batch: dict[str, Tensor], dtype: torch.dtype, device: Any) -> dict[str, Tensor]:
    """Move a batch; floating-point entries take the dtype of the model, integers stay integers."""
    return {
        key: value.to(device, dtype) if value.is_floating_point() else value.to(device) for key, value in batch.items()
    }
