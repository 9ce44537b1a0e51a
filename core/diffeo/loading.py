"""From a run folder, a checkpoint or a weights file to a model."""

import os
from pathlib import Path
from typing import Any

from diffeo import checkpoints
from diffeo.model_files import CheckpointError, read_model

__all__ = ["load"]


def load(path: str | os.PathLike[str]) -> Any:
    """The model of a run folder (its newest whole checkpoint), a checkpoint folder or a ``model.safetensors``, in eval mode.

    Nothing but the plugins of the model's own components is needed: neither the data nor the objective.
    """
    path = Path(path)
    if path.is_file():
        return read_model(path)
    if (path / "model.safetensors").exists():
        checkpoints.verify(path)
        return read_model(path / "model.safetensors")
    if not (path / "checkpoints").is_dir():
        raise CheckpointError(f"{path}: expected a run folder, a checkpoint or a model.safetensors; got none of them")
    return read_model(checkpoints.newest(path / "checkpoints") / "model.safetensors")
