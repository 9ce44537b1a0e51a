"""Recipes trained with several seeds, and what their evaluators wrote; how many parameters a spec has."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import diffeo

__all__ = ["parameters", "reports"]


def reports(spec: diffeo.Spec, path: Path, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The metrics of each seed, trained if it is not yet; a folder that was begun is gone on with."""
    runs = diffeo.resume_seeds(path) if path.exists() else diffeo.train_seeds(spec, seeds, path)
    if not runs.is_finished:
        raise SystemExit(f"{path}: {dict(runs.outcomes)}; the same command goes on with what was stopped")
    return [json.loads((path / f"seed-{seed}" / "report" / "metrics.json").read_text()) for seed in runs.outcomes]


def parameters(spec: diffeo.Spec, shape: tuple[int, ...]) -> int:
    """Of the model of a spec, for data of a shape; no memory is taken for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in diffeo.build(spec.model, shape=shape).parameters())
