"""What is installed, as records; torch stays unimported."""

from diffeo_registry import DiffeoError, Registered, installed

__all__ = ["components"]


def components(kind: str | None = None) -> tuple[Registered, ...]:
    """The installed components, of one kind if one is given: name, version, package, summary and source of each.

    >>> [component.name for component in components("optimizer")][:2]
    ['adam', 'adamax']
    """
    registry = installed()
    if kind is None:
        return registry.components
    if kind not in registry.kinds:
        raise DiffeoError(f"expected a kind, one of {', '.join(sorted(registry.kinds))}; got {kind!r}")
    return registry.of_kind(kind)
