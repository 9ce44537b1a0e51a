"""What a ``model.safetensors`` says about its model: one metadata key, ``diffeo``, in sorted JSON.

    format, model (a model section as in a spec, resolved), shape, context_shape, dtype

It is data: components are looked up by name in the registry, and nothing is executed. Since a stranger may have written it,
what reading costs is bounded, and what would not be read is not written.
"""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

import attrs
import torch
from torch import nn

from diffeo.building import make
from diffeo.errors import CheckpointError
from diffeo.strict_json import parse_json
from diffeo_registry import DiffeoError, Registered, Registry, Slot, installed, structure, unstructure

__all__ = ["KEY", "ModelSection", "check_entries"]

Shape = tuple[int, ...]

KEY = "diffeo"
FORMAT = 1
DTYPES = {"float32": torch.float32, "float64": torch.float64}

TEXT_LIMIT = 2**19
"""Longest section, in characters: twice what couplings take that reach ``WEIGHT_LIMIT``."""

DEPTH_LIMIT = 64
"""Deepest nesting of mappings and lists; a step within a step is three levels."""

WEIGHT_LIMIT = 100_000
"""Largest sum over all values of how deep they stand. The time to tell what is wrong with a section grows with it, up to 7
microseconds a unit. A coupling with every default written out weighs 124, so there is room for 800 of them."""

COMPONENT_LIMIT = 5000
"""Most components named, at 20 microseconds each; a coupling names six."""

MISS = 100
"""A name that means nothing costs as many lookups as this, since the closest name is looked for: 0.5 ms at worst."""

FREE_ENTRIES = 2**20
"""Entries of an event that need no tensor in the file; a colour image of 512 x 512 has 786,432."""

ENTRIES_PER_WEIGHT = 64
"""Entries of an event that each number in the file allows on top: convolutions use a weight at every position."""


@attrs.frozen
class ModelSection:
    """A model by its config, and what it was built on."""

    config: Any
    shape: Shape
    context_shape: Shape | None
    dtype: torch.dtype

    @classmethod
    def parse(cls, text: str, num_weights: int) -> "ModelSection":
        """Read a section of a file with ``num_weights`` numbers; a ``DiffeoError`` says what is wrong with it."""
        content = _parse(text)
        shape, context_shape = _shape(content, "shape"), None
        if content["context_shape"] is not None:
            context_shape = _shape(content, "context_shape")
        check_entries([shape, context_shape], num_weights)
        config = structure(content["model"], Slot("model"), registry=_Frugal(installed()))
        return cls(config, shape, context_shape, DTYPES[content["dtype"]])

    def to_text(self) -> str:
        """The section as JSON; ``CheckpointError`` for one that would not be read."""
        content = {
            "format": FORMAT,
            "model": unstructure(self.config, registry=installed()),
            "shape": self.shape,
            "context_shape": self.context_shape,
            "dtype": str(self.dtype).removeprefix("torch."),
        }
        text = json.dumps(content, sort_keys=True)
        _parse(text)
        return text

    def build(self) -> nn.Module:
        """The model, with weights as after construction."""
        model: nn.Module = make(self.config, self.shape, self.context_shape)
        return model.to(self.dtype)


def _parse(text: str) -> dict[str, Any]:
    """The keys of a section, of which ``model`` and the shapes are still to be checked."""
    _check_length(text)
    try:
        content: Any = parse_json(text)
    except ValueError as error:
        raise CheckpointError(f"expected metadata in JSON; got a damaged text ({error})") from error
    keys = {"format", "model", "shape", "context_shape", "dtype"}
    if not isinstance(content, dict) or not keys <= content.keys():
        raise CheckpointError(f"expected metadata with {', '.join(sorted(keys))}; got others")
    content = cast(dict[str, Any], content)
    _check_weight(content)
    if content["format"] != FORMAT:
        raise CheckpointError(
            f"expected format {FORMAT}; got {content['format']!r}: it was written by another version of diffeo"
        )
    if content["dtype"] not in list(DTYPES):
        raise CheckpointError(f"expected dtype {' or '.join(DTYPES)}; got {content['dtype']!r}")
    return content


def _shape(content: dict[str, Any], key: str) -> Shape:
    value = content[key]
    if not isinstance(value, list) or not all(type(size) is int and size > 0 for size in cast(list[Any], value)):
        raise CheckpointError(f"expected {key} as a list of integers > 0; got {value!r}")
    return tuple(cast(list[int], value))


# Limits


def check_entries(shapes: Iterable[Shape | None], num_weights: int) -> None:
    """Raise where one of the events a model works on is larger than ``num_weights`` numbers in its file justify."""
    limit = FREE_ENTRIES + ENTRIES_PER_WEIGHT * num_weights
    for shape in shapes:
        if shape is not None and math.prod(shape) > limit:
            raise CheckpointError(
                f"expected events of at most {limit} entries, by the {num_weights} numbers in the file; got {shape}"
            )


def _check_length(text: str) -> None:
    if len(text) > TEXT_LIMIT:
        raise CheckpointError(f"expected a model section of at most {TEXT_LIMIT} characters; got {len(text)}")


def _check_weight(content: Any) -> None:
    """Raise where data are nested too deep, or where there are too many of them, those that stand deep counting more."""
    level, depth, weight = [content], 1, 1
    while level:
        level = [inner for value in level for inner in _inside(value)]
        depth += 1
        weight += depth * len(level)
        if depth > DEPTH_LIMIT and level:
            raise CheckpointError(f"expected a model section nested at most {DEPTH_LIMIT} levels deep; got more")
        if weight > WEIGHT_LIMIT:
            raise CheckpointError(
                f"expected a model section of values whose depths add up to at most {WEIGHT_LIMIT}; got more"
            )


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(cast(dict[str, Any], value).values())
    return cast(Sequence[Any], value) if isinstance(value, list | tuple) else ()


class _Frugal(Registry):
    """A registry that finds a limited number of components, so that a long list of names is soon refused."""

    def __init__(self, registry: Registry) -> None:
        vars(self).update(vars(registry))
        self._left = COMPONENT_LIMIT

    def find(self, name: str, kinds: str | Sequence[str]) -> Registered:
        self._left -= MISS
        if self._left < 0:
            raise DiffeoError(f"expected a model of at most {COMPONENT_LIMIT} components; got more, or unknown ones")
        found = super().find(name, kinds)
        self._left += MISS - 1
        return found
