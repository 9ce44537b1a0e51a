"""Calling the run hooks: each plugin by itself, so that a tracker that fails costs the run its tracker and nothing else."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from diffeo_registry.discovery import run_hooks

__all__ = ["HookCalls"]


class HookCalls:
    """The run hooks of all plugins. An error in ``started`` ends the run, which has not begun; later ones are reported.

    ``report`` is called with a line in plain words; the plugin is not called again for the rest of the run.
    """

    def __init__(self, plugins: Iterable[Any]) -> None:
        self._hooks = {_name(plugin): run_hooks([plugin]).hook for plugin in plugins}
        self.report: Callable[[str], None] = print

    def started(self, run: Any) -> None:
        """``diffeo_run_started``."""
        for hooks in self._hooks.values():
            hooks.diffeo_run_started(run=run)

    def step_done(self, run: Any, step: int, metrics: dict[str, float]) -> None:
        """``diffeo_step_done``."""
        self._call(lambda hooks: hooks.diffeo_step_done(run=run, step=step, metrics=metrics))

    def checkpoint_saved(self, run: Any, step: int, path: Path) -> None:
        """``diffeo_checkpoint_saved``."""
        self._call(lambda hooks: hooks.diffeo_checkpoint_saved(run=run, step=step, path=path))

    def ended(self, run: Any, outcome: str) -> None:
        """``diffeo_run_ended``."""
        self._call(lambda hooks: hooks.diffeo_run_ended(run=run, outcome=outcome))

    def _call(self, call: Callable[[Any], object]) -> None:
        for name, hooks in list(self._hooks.items()):
            try:
                call(hooks)
            except Exception as error:
                del self._hooks[name]
                reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
                self.report(f"{name} failed and are left out for the rest of the run ({reason})")


def _name(plugin: Any) -> str:
    return f"the run hooks of {getattr(plugin, '__name__', plugin)}"
