"""Single numbers among the parameters of a target, by name: ``beta[0]``, ``beta[age]``, ``weights[1,2]``, ``tau``.

N draws, P numbers of a draw.
"""

import itertools
import re
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo import Target

__all__ = ["scalar_columns", "scalar_names", "select"]


def scalar_names(values: Mapping[str, Tensor], entries: Mapping[str, Sequence[str]]) -> list[str]:
    """The name of each number of one draw, entries of a parameter with the last index fastest."""
    names: list[str] = []
    for name, value in values.items():
        if name in entries:
            names += [f"{name}[{entry}]" for entry in entries[name]]
        else:
            places = itertools.product(*map(range, value.shape))
            names += [f"{name}[{','.join(map(str, place))}]" if place else name for place in places]
    return names


def scalar_columns(values: Mapping[str, Tensor]) -> Float[Tensor, "N P"]:
    """The numbers of N draws in the order of their names."""
    return torch.cat([value.reshape(len(value), -1) for value in values.values()], dim=-1)


@torch.no_grad()
def select(target: Target, wanted: Sequence[str] | None, like: Tensor) -> tuple[list[str], list[int]]:
    """Names and places of the numbers that are wanted, all by default; an unknown name is a ``ValueError``."""
    one = target.by_name(torch.zeros(target.event_shape).to(like))
    names = scalar_names(one, target.entries)
    if wanted is None:
        return names, list(range(len(names)))
    places: list[int] = []
    for text in wanted:
        found = [place for place, name in enumerate(names) if text in (name, re.sub(r"\[.*", "", name))]
        if not found:
            there = ", ".join(f"{name} {tuple(value.shape)}" for name, value in one.items())
            raise ValueError(
                f"expected the name of a parameter, or of an entry as in {names[0]!r}; got {text!r}: there are {there}"
            )
        places += [place for place in found if place not in places]
    return [names[place] for place in places], places
