"""``diffeo show``."""

from collections.abc import Sequence
from typing import Any

import click

from diffeo.commands.listing import find_kind
from diffeo.commands.output import print_table
from diffeo.config_spec import Spec, Trainer
from diffeo_registry import DiffeoError, Registered, Registry, installed
from diffeo_registry.catalogue import package_of
from diffeo_registry.descriptions import FieldDescription, describe, describe_fields
from diffeo_registry.lookup import named
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
        _print_fields(describe_fields(_SECTIONS[name], registry))
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
    having = named(wanted, registry)
    if not having and (wanted.package or package_of(wanted.name, list(registry.kinds))):
        return [registry.find(text, list(registry.kinds))]  # raises, and says which package to install
    if not having:
        raise DiffeoError(f"no component named {text!r}{did_you_mean(text, {one.name for one in registry.components})}")
    found = [registry.find(text, one.kinds) for one in having]
    return list({one.qualified + str(one.kinds): one for one in found}.values())


def _show(one: Registered, registry: Registry) -> None:
    description = describe(one, registry)
    record = one.component
    click.echo(f"{click.style(one.name, bold=True)} ({', '.join(one.kinds)}): {record.summary}")
    if description.text not in ("", record.summary):
        click.echo(description.text)
    click.echo()
    _print_fields(description.fields)
    click.echo()
    built = [registry.kinds[kind].built_with for kind in one.kinds if kind in registry.kinds]
    facts = {
        "name": one.qualified,
        "package": f"{one.package} {one.package_version}".strip(),
        "former names": ", ".join(record.aliases),
        "source": record.source,
        "remark": description.remark,
        "config": description.config,
        "implementation": description.implementation,
        "built with": ", ".join(("config", *built[0])) if built else "",
    }
    for label, value in facts.items():
        if value:
            click.echo(f"{label + ':':<16}{value}")


def _print_fields(fields: Sequence[FieldDescription]) -> None:
    if not fields:
        click.echo("It has no fields.")
        return
    rows = [
        (
            field.name,
            ", ".join(filter(None, (field.type, field.bounds))),
            "required" if field.required else field.default,
            f"{field.help} (formerly {', '.join(field.former)})" if field.former else field.help,
        )
        for field in fields
    ]
    print_table(("field", "type", "default", "help"), rows)
