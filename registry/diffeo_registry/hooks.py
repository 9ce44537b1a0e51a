"""The hooks a plugin may implement, marked with ``@hookimpl`` in the module its entry point names.

Registry hooks are called when the registry is built and must not import torch. Run hooks are called by the trainer in
the main process; they receive the run (``diffeo.Run``: ``path``, ``spec``, ``model``, ``objective``, ``data``) and may
import what they like, inside the function.
"""

from pathlib import Path
from typing import Any

import pluggy

from diffeo_registry.records import Component, Kind, Recipe

__all__ = ["OLDEST_API", "PLUGIN_API", "RegistryHooks", "RunHooks", "hookimpl"]

PROJECT = "diffeo"
PLUGIN_API = 1
"""Version of these hooks and records. A plugin module may say ``PLUGIN_API = n``; one that needs more is refused."""
OLDEST_API = 1
"""The oldest version that plugins may still be written for."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class RegistryHooks:
    """What a plugin brings."""

    @hookspec
    def diffeo_components(self) -> "list[Component | Kind | Recipe]":  # type: ignore[empty-body]
        """The components, kinds and recipes of this plugin."""

    @hookspec
    def diffeo_commands(self) -> dict[str, str]:  # type: ignore[empty-body]
        """Commands to add to ``diffeo``: name -> ``"package.module:click_command"``, imported when called."""


class RunHooks:
    """What a plugin does while a model trains."""

    @hookspec
    def diffeo_run_started(self, run: Any) -> None:
        """The model is built and initialised; ``run.step`` is the step to be taken next."""

    @hookspec
    def diffeo_step_done(self, run: Any, step: int, metrics: dict[str, float]) -> None:
        """Step ``step`` is done. Called where ``metrics`` are reduced and written, every ``log_every`` steps."""

    @hookspec
    def diffeo_checkpoint_saved(self, run: Any, step: int, path: Path) -> None:
        """A whole checkpoint stands at ``path``."""

    @hookspec
    def diffeo_run_ended(self, run: Any, outcome: str) -> None:
        """Training is over: ``outcome`` is ``"finished"``, ``"stopped"`` or ``"failed"``; the report is written."""
