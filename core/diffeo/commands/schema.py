"""``diffeo schema``."""

import json

import click

from diffeo.config_spec import Spec
from diffeo_registry import installed, json_schema

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print a JSON Schema (2020-12) of specs with what is installed, for editors that complete and check YAML."""
    click.echo(json.dumps(json_schema(Spec, registry=installed()), indent=1, ensure_ascii=False))
