"""The errors users meet: all are ``ValueError``s that say where, what was expected, what came and what to do."""

from collections.abc import Iterable

import attrs

__all__ = ["BuildError", "DiffeoError", "Path", "PluginError", "Problem", "SpecError", "format_path"]

Path = tuple[str | int, ...]
"""Keys and indices from the root of a spec: ``("model", "flow", "steps", 1, "coupling", "split")``."""


def format_path(path: Path) -> str:
    """``("model", "steps", 1, "split")`` -> ``"model.steps[1].split"``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class DiffeoError(ValueError):
    """Base of every error that is the user's to mend; its text is one line per problem."""


@attrs.frozen
class Problem:
    """One thing wrong with a spec: where in the data, what, and where in the user's file (set by the document)."""

    path: Path
    message: str
    on_key: bool = False
    """Whether the key itself is wrong (unknown, duplicate) rather than its value."""
    where: str = ""
    """``"spec.yaml:24:3"`` or ``"--set trainer.steps=x"``; empty for data from Python."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, format_path(self.path), self.message) if part)


class SpecError(DiffeoError):
    """A spec, a dict or a config that cannot be used; ``problems`` holds every one that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class BuildError(DiffeoError):
    """A component that cannot be built from a valid config: shapes that don't fit, a split of one channel, ...

    ``path`` leads to the component in the spec; whoever builds it prepends its own place on the way out.
    """

    def __init__(self, message: str, path: Path = ()) -> None:
        self.message = message
        self.path = path
        super().__init__(str(Problem(path=path, message=message)))

    def inside(self, prefix: Path) -> "BuildError":
        """The same error as seen from one level further out."""
        return BuildError(self.message, prefix + self.path)


class PluginError(DiffeoError):
    """A plugin that cannot be loaded, or two that claim the same name."""
