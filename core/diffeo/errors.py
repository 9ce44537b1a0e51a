"""Errors that several modules raise."""

from diffeo_registry import DiffeoError

__all__ = ["CheckpointError"]


class CheckpointError(DiffeoError):
    """A file that is not a checkpoint of ours, is damaged, or belongs to another model."""
