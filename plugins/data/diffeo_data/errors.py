"""Errors of data on disk."""

from diffeo_registry import DiffeoError

__all__ = ["DataFileError", "MissingDataError"]


class DataFileError(DiffeoError):
    """A file that is there but cannot be used; the message names it and the place in it."""


class MissingDataError(DiffeoError, FileNotFoundError):
    """Data that are not on disk; the message says where they were looked for and how to get them."""
