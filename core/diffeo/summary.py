"""The structure of a model as rows: what ``diffeo check`` prints and the report shows."""

import attrs
from torch import nn

from diffeo.augmenter import Augmenter
from diffeo.distribution import Distribution
from diffeo.network import Encoder, Network
from diffeo_registry import installed

__all__ = ["Row", "describe_model", "name_of"]

Shape = tuple[int, ...]


@attrs.frozen
class Row:
    """One part of a model."""

    name: str
    depth: int
    in_shape: Shape | None
    out_shape: Shape | None
    parameters: int
    path: str = ""
    """Where it is among the modules of the model: ``steps.0.network``."""


def describe_model(model: nn.Module) -> list[Row]:
    """Every step, network, base and encoder of a model, in the order of its modules, with shapes and parameter counts."""
    return list(_rows(model, name_of(model), 0, ""))


def _rows(module: nn.Module, name: str, depth: int, path: str) -> list[Row]:
    rows = [Row(name, depth, *_shapes(module), sum(p.numel() for p in module.parameters()), path)]
    for child_name, child in module.named_children():
        for place, part in _parts(child_name, child):
            below = place.replace("[", ".").replace("]", "")
            rows += _rows(part, f"{place}: {name_of(part)}", depth + 1, f"{path}.{below}" if path else below)
    return rows


def _parts(name: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The parts worth a row at or below a module: lists are walked through, plain layers are not shown."""
    if isinstance(module, nn.ModuleList):
        return [part for key, child in module.named_children() for part in _parts(f"{name}[{key}]", child)]
    return [(name, module)] if isinstance(module, (Augmenter, Distribution, Network, Encoder)) else []


def _shapes(module: nn.Module) -> tuple[Shape | None, Shape | None]:
    if isinstance(module, Distribution):
        latent = getattr(module, "latent_shape", None)
        return module.event_shape, latent
    if isinstance(module, (Augmenter, Network, Encoder)):
        return module.in_shape, module.out_shape
    return None, None


def name_of(module: nn.Module) -> str:
    """The name users write for it; the class name of what is not registered."""
    reference = f"{type(module).__module__}:{type(module).__qualname__}"
    found = (one.name for one in installed().components if one.component.implementation == reference)
    return next(found, type(module).__name__)
