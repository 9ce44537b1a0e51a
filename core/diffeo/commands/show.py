"""``diffeo show``."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import click

from diffeo.commands.listing import find_kind
from diffeo.commands.output import print_table
from diffeo.commands.source_lines import source_line
from diffeo.config_spec import Spec, Trainer
from diffeo_registry import DiffeoError, Registered, Registry, installed
from diffeo_registry.catalogue import package_of
from diffeo_registry.config_types import config_fields, type_text
from diffeo_registry.fields import BOUNDS, HELP, Bounds
from diffeo_registry.names import Name
from diffeo_registry.wording import did_you_mean

__all__ = ["show"]

_SECTIONS: dict[str, type[Any]] = {"spec": Spec, "trainer": Trainer}


@click.command()
@click.argument("name", metavar="[KIND/]NAME")
def show(name: str) -> None:
    """What a component does, its fields with types, defaults and bounds, its paper and its source.

    `diffeo show spec` and `diffeo show trainer` tell the keys of a spec.
    """
    registry = installed()
    if name in _SECTIONS and not any(one.name == name for one in registry.components):
        click.echo((_SECTIONS[name].__doc__ or "").strip() + "\n")
        _print_fields(_SECTIONS[name])
        return
    for number, component in enumerate(_find(name, registry)):
        if number:
            click.echo("\n")
        _show(component, registry)


def _find(text: str, registry: Registry) -> list[Registered]:
    """The component of a name; several where it exists in kinds that never meet in a slot."""
    prefix, slash, rest = text.partition("/")
    if slash and any(prefix in (kind.name, kind.plural) for kind in registry.kinds.values()):
        return [registry.find(rest, find_kind(prefix, registry))]
    wanted = Name.parse(text)
    named = [one for one in registry.components if one.name == wanted.name and wanted.package in (None, one.package)]
    if not named and (wanted.package or package_of(wanted.name, list(registry.kinds))):
        return [registry.find(text, list(registry.kinds))]  # raises, and says which package to install
    if not named:
        raise DiffeoError(f"no component named {text!r}{did_you_mean(text, {one.name for one in registry.components})}")
    found = [registry.find(text, one.kinds) for one in named]
    return list({one.qualified + str(one.kinds): one for one in found}.values())


def _show(one: Registered, registry: Registry) -> None:
    record = one.component
    kinds = ", ".join(one.kinds)
    click.echo(f"{click.style(one.name, bold=True)} ({kinds}): {record.summary}")
    config = one.load_config()
    text = " ".join((config.__doc__ or "").split())
    if text not in ("", record.summary):
        click.echo(text)
    click.echo()
    _print_fields(config)
    click.echo()
    built = [registry.kinds[kind].built_with for kind in one.kinds if kind in registry.kinds]
    facts = {
        "name": one.qualified,
        "package": f"{one.package} {one.package_version}".strip(),
        "source": record.source,
        "remark": registry.remark(one),
        "config": source_line(record.config),
        "implementation": source_line(record.implementation),
        "built with": ", ".join(("config", *built[0])) if built else "",
    }
    for label, value in facts.items():
        if value:
            click.echo(f"{label + ':':<16}{value}")


def _print_fields(config: type[Any]) -> None:
    fields = config_fields(config)
    if not fields:
        click.echo("It has no fields.")
        return
    print_table(("field", "type", "default", "help"), [_row(key, field) for key, field in fields.items()])


def _row(key: str, field: "attrs.Attribute[Any]") -> Sequence[str]:
    bounds = field.metadata.get(BOUNDS, Bounds())
    limits = "" if bounds == Bounds() else ", " + str(bounds).removeprefix("a value ")
    return (key, type_text(field.type) + limits, _default(field.default), field.metadata.get(HELP, ""))


def _default(value: Any) -> str:
    """A default as one would write it in YAML."""
    if value is attrs.NOTHING:
        return "required"
    if isinstance(value, attrs.Factory):  # pyright: ignore[reportArgumentType]
        value = value.factory()
    if attrs.has(type(value)):
        return "its own"
    return json.dumps(value).strip('"')
