"""From configs to modules: ``build`` for users, ``make`` for implementations that build their own slots."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from diffeo_registry import BuildError, DiffeoError, Document, Registered, Slot, installed, structure

__all__ = ["build", "make", "parts_by_name"]

Place = str | tuple[str | int, ...]

_parts: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("parts", default=None)


def make(config: Any, *arguments: Any, at: Place = ()) -> Any:
    """Build the implementation of a structured config: ``Implementation(config, *arguments)``.

    ``at`` is the place of the config in its owner (``"transform"``, ``("steps", 3)``), so that an error far down says
    where in the user's file it belongs. A ``ValueError`` raised inside becomes a ``BuildError`` with that path.
    """
    registered = installed().of(config)
    place = (at,) if isinstance(at, str) else at
    try:
        implementation = registered.load_implementation()
        with _one_whole():
            return implementation(config, *arguments)
    except BuildError as error:
        raise error.inside((*place, registered.name)) from error.__cause__
    except ValueError as error:
        raise BuildError(str(error), (*place, registered.name)) from error


def parts_by_name() -> dict[tuple[str, str], Any]:
    """What implementations have put here, by kind and name, since the outermost ``make`` began: what one model shares."""
    parts = _parts.get()
    if parts is None:
        raise RuntimeError(
            "expected to be called by an implementation that make or build builds; got called outside of one"
        )
    return parts


@contextmanager
def _one_whole() -> Generator[None]:
    """The outermost ``make`` builds one whole; those inside it build its parts."""
    if _parts.get() is not None:
        yield
        return
    token = _parts.set({})
    try:
        yield
    finally:
        _parts.reset(token)


def build(what: Any, spec: Any = None, /, **arguments: Any) -> Any:
    """Build a component from a kind and a spec (a name, a dict or YAML text), or from a config object.

    The keyword arguments are those its kind is built with: ``shape`` and, where it has one, ``context_shape`` for a
    bijector, augmenter, distribution or model; ``in_shape``, ``out_shape``, ``context_shape`` for a network.

    >>> import diffeo
    >>> flow = diffeo.build("model", {"flow": {"base": "diagonal_normal"}}, shape=(2,))
    >>> flow.sample((5,)).shape
    torch.Size([5, 2])
    """
    registry = installed()
    if spec is None:
        if isinstance(what, (str, dict)):
            raise DiffeoError(f"expected a config object, or a kind and a spec: build('bijector', ...); got {what!r}")
        kinds = registry.of(what).component.kind
        config = structure(what, Slot(*kinds), registry=registry)
        kind = kinds[0]
    else:
        if what not in registry.kinds:
            raise DiffeoError(f"expected a kind, one of {', '.join(sorted(registry.kinds))}; got {what!r}")
        kind = what
        config = _structured(spec, Slot(kind))
    return make(config, *_positional(registry.of(config), registry.kinds[kind].built_with, arguments))


def _structured(spec: Any, slot: Slot) -> Any:
    if not isinstance(spec, str):
        return structure(spec, slot, registry=installed())
    return Document.parse(spec).structure(slot, registry=installed())


def _positional(registered: Registered, names: tuple[str, ...], arguments: dict[str, Any]) -> list[Any]:
    """Keyword arguments in the order the kind is built with; ``context_shape`` may be missing, shapes become tuples."""
    unknown = sorted(set(arguments) - set(names))
    missing = [name for name in names if name not in arguments and name != "context_shape"]
    if unknown or missing:
        wanted = ", ".join(names) or "nothing"
        raise DiffeoError(f"{registered.name} is built with {wanted}; got {', '.join(sorted(arguments)) or 'nothing'}")
    return [_as_shape(name, arguments.get(name)) for name in names]


def _as_shape(name: str, value: Any) -> Any:
    if not name.endswith("shape") or value is None:
        return value
    if isinstance(value, int) or not all(isinstance(size, int) and size > 0 for size in value):
        raise DiffeoError(f"expected {name} as a tuple of positive integers, such as (2,); got {value!r}")
    return tuple(value)
