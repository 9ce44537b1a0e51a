"""``diffeo list``."""

import json
from collections.abc import Iterable

import click

from diffeo.commands.output import print_table
from diffeo_registry import DiffeoError, Registered, Registry, installed
from diffeo_registry.wording import did_you_mean

__all__ = ["find_kind", "listing"]

SLOW = 1.0
"""Seconds to load all plugins, above which a listing says which one takes longest. Those of this repository take 0.1."""


@click.command("list")
@click.argument("kind", required=False)
@click.option("--plugins", is_flag=True, help="The installed plugins instead, broken and disabled ones included.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def listing(kind: str | None, plugins: bool, as_json: bool) -> None:
    """What is installed: every component, or those of one KIND (`bijectors`, `evaluators`, ...)."""
    registry = installed()
    if plugins:
        if kind is not None:
            raise click.UsageError("expected a KIND or --plugins; got both")
        _list_plugins(registry, as_json=as_json)
        _warn_of_time(registry)
        return
    kinds = sorted(registry.kinds) if kind is None else [find_kind(kind, registry)]
    components = [one for one in registry.components if kind is None or set(one.kinds) & set(kinds)]
    if as_json:
        click.echo(json.dumps([_record(one, registry) for one in components], indent=1, ensure_ascii=False))
    elif kind is not None:
        _list_components(components, registry)
    else:
        _list_all(kinds, registry)
    for plugin in registry.broken:
        click.echo(f"warning: {plugin}", err=True)
    _warn_of_time(registry)


def find_kind(text: str, registry: Registry) -> str:
    """The kind that a user calls by its name or its plural, ``-`` for ``_`` allowed."""
    names = {name: kind.name for kind in registry.kinds.values() for name in (kind.plural, kind.name)}
    found = names.get(text.lower().replace("-", "_"))
    if found is None:
        hint = did_you_mean(text, names) or f"; there are {', '.join(sorted(registry.kinds))}"
        raise DiffeoError(f"no kind named {text!r}{hint}")
    return found


def _warn_of_time(registry: Registry) -> None:
    """Every command loads every plugin: say which one to blame where that takes long."""
    total = sum(plugin.seconds for plugin in registry.plugins)
    if total > SLOW:
        slowest = max(registry.plugins, key=lambda plugin: plugin.seconds)
        text = (
            f"loading plugins took {total:.1f} s, {slowest.seconds:.1f} s of it {slowest.name!r} of {slowest.package}"
        )
        click.echo(f"warning: {text}; DIFFEO_DISABLE={slowest.package} leaves it out", err=True)


def _list_all(kinds: Iterable[str], registry: Registry) -> None:
    unknown = sorted({kind for one in registry.components for kind in one.kinds if kind not in registry.kinds})
    width = max((len(one.name) for one in registry.components), default=0)
    for kind in [*kinds, *unknown]:
        components = registry.of_kind(kind)
        if components:
            click.echo(click.style(registry.kinds[kind].plural if kind in registry.kinds else kind, bold=True))
            for one in components:
                click.echo(f"  {one.name:<{width}}  {_summary(one, registry)}")
            click.echo()
    click.echo("diffeo show NAME tells more about one of them; diffeo list KIND names packages and papers.")


def _list_components(components: Iterable[Registered], registry: Registry) -> None:
    rows = [
        (one.name, str(one.version), one.package, _summary(one, registry), one.component.source)
        for one in sorted(components, key=lambda one: (one.name, one.version, one.package))
    ]
    print_table(("name", "version", "package", "summary", "source"), rows)


def _summary(one: Registered, registry: Registry) -> str:
    remark = registry.remark(one)
    return one.component.summary + (f" [{remark}]" if remark else "")


def _record(one: Registered, registry: Registry) -> dict[str, object]:
    record = one.component
    return {
        "name": one.name,
        "kinds": list(one.kinds),
        "version": one.version,
        "package": one.package,
        "package_version": one.package_version,
        "summary": record.summary,
        "source": record.source,
        "config": record.config,
        "implementation": record.implementation,
        "remark": registry.remark(one),
    }


def _list_plugins(registry: Registry, *, as_json: bool) -> None:
    rows = [
        {
            "name": plugin.name,
            "package": plugin.package,
            "version": plugin.package_version,
            "state": "broken" if plugin.error else "disabled" if plugin.disabled else "ok",
            "records": len(plugin.records),
            "seconds": round(plugin.seconds, 4),
            "error": plugin.error,
        }
        for plugin in registry.plugins
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        header = ("name", "package", "version", "state", "records", "seconds", "error")
        print_table(header, [tuple(str(row[name]) for name in header) for row in rows], right={4, 5})
