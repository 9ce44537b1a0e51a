"""Plain data to YAML text that reads back as the same data."""

import io
import sys
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from diffeo_registry.yaml_scalars import resolve

__all__ = ["to_flow_yaml", "to_yaml"]

WIDTH = 120


class _Representer(SafeRepresenter):
    """Strings are quoted where the core schema would read something else; nothing is written as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> Any:
        is_plain = resolve(data) == data and data != "<<" and not data.startswith("?")
        style = None if is_plain else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)  # pyright: ignore[reportUnknownMemberType]


_Representer.add_representer(str, _Representer.represent_text)  # pyright: ignore[reportUnknownMemberType]


def to_yaml(data: Any) -> str:
    """YAML text of plain data, keys in their order.

    >>> print(to_yaml({"seed": 0, "model": {"flow": {"steps": ["actnorm"], "base": "no"}}}), end="")
    seed: 0
    model:
      flow:
        steps:
        - actnorm
        base: no
    """
    return _dump(data, width=WIDTH, flow=False)


def to_flow_yaml(data: Any) -> str:
    """The same in one line.

    >>> to_flow_yaml({"mlp": {"hidden": [64, 64], "bias": True}})
    '{mlp: {hidden: [64, 64], bias: true}}'
    """
    return _dump(data, width=sys.maxsize, flow=True).removesuffix("\n")


def _dump(data: Any, *, width: int, flow: bool) -> str:
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = flow
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = width
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue().removesuffix("...\n")
