"""Collecting every problem of a tree: each level adds its own step to the paths of what went wrong below it."""

from collections.abc import Generator
from contextlib import contextmanager

import attrs

from diffeo_registry.errors import DiffeoError, Path, Problem, SpecError

__all__ = ["below", "collecting", "refusal"]


def refusal(message: str) -> SpecError:
    """An error with one problem, at the place being looked at."""
    return SpecError([Problem(path=(), message=message)])


def below(problem: Problem, path: Path) -> Problem:
    """The same problem as seen from ``path`` further out."""
    return attrs.evolve(problem, path=(*path, *problem.path))


@contextmanager
def collecting(problems: list[Problem], *path: str | int) -> Generator[None]:
    """Append the problems of what is done in the block, as seen from ``path`` further out, and go on after it."""
    try:
        yield
    except SpecError as error:
        problems += [below(problem, path) for problem in error.problems]
    except DiffeoError as error:
        problems.append(Problem(path=path, message=str(error)))
