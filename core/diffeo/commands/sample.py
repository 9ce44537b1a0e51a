"""``diffeo sample``."""

import json
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

import diffeo
from diffeo.commands.files import whole_file
from diffeo.commands.sample_picture import draw_samples
from diffeo.commands.tables import require_format, write_table
from diffeo.randomness import seeded

__all__ = ["sample"]

_AT_ONCE = 4096
"""Draws per call of the model: bounds memory whatever -n is."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-n", "--number", default=64, show_default=True, type=click.IntRange(min=1), help="Draws, per context.")
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(min=0), help="Scales the spread.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Fixes the draws.")
@click.option("--class", "classes", multiple=True, type=click.IntRange(min=0), help="A class, one-hot; repeatable.")
@click.option("--context", metavar="JSON", help="A context, or a list of them, as JSON.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.png, FILE.npz or FILE.csv.")
def sample(
    model: Path, number: int, temperature: float, seed: int, classes: tuple[int, ...], context: str | None, out: Path
) -> None:
    """Draw from MODEL, a run folder or a model.safetensors, into a file.

    A .png shows images or points on the plane; .npz and .csv take anything.
    """
    require_format(out)
    with whole_file(out) as aside:
        flow = diffeo.load(model)
        contexts = _contexts(flow, classes, context)
        with seeded(seed):
            draws = _draw(flow, number, contexts, temperature)
        if flow.dequantization is not None:
            draws = draws.to(torch.int64)
        if out.suffix == ".png":
            draw_samples(draws, aside)
        else:
            rows = None if contexts is None else contexts.repeat_interleave(draws.shape[1], 0)
            write_table(draws.flatten(0, 1), rows, aside, as_csv=out.suffix == ".csv")
    click.echo(f"wrote {out}: {number * max(1, len(draws))} draws of shape {flow.event_shape}")


def _contexts(flow: Any, classes: tuple[int, ...], text: str | None) -> Tensor | None:
    """The contexts asked for, as (M, *context_shape); None for a flow without context."""
    shape = flow.context_shape
    if shape is None:
        if classes or text is not None:
            raise click.UsageError("expected neither --class nor --context: this flow takes no context")
        return None
    if bool(classes) == (text is not None):
        raise click.UsageError(f"expected --class or --context: this flow takes a context of shape {shape}")
    if classes:
        if len(shape) != 1 or max(classes) >= shape[0]:
            raise click.UsageError(
                f"expected --class below {shape[0]} for a context of shape {shape}; got {max(classes)}"
            )
        return torch.eye(shape[0]).to(flow.like)[list(classes)]
    return _parse(text or "", shape).to(flow.like)


def _parse(text: str, shape: tuple[int, ...]) -> Tensor:
    try:
        values = torch.tensor(json.loads(text), dtype=torch.float64)
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"expected --context as JSON numbers of shape {shape}; got {text!r}") from error
    rows = values[None] if tuple(values.shape) == shape else values
    if tuple(rows.shape[1:]) != shape:
        raise click.UsageError(f"expected --context of shape {shape}; got {tuple(values.shape)}")
    return rows


@torch.no_grad()
def _draw(flow: Any, number: int, contexts: Tensor | None, temperature: float) -> Tensor:
    """Draws as (M, n, *event_shape), M contexts."""
    per_call = max(1, _AT_ONCE // (1 if contexts is None else len(contexts)))
    sizes = [min(per_call, number - start) for start in range(0, number, per_call)]
    if contexts is None:
        return torch.cat([flow.sample((size,), temperature=temperature) for size in sizes])[None]
    draws = torch.cat([flow.sample((size,), context=contexts, temperature=temperature) for size in sizes])
    return draws.movedim(0, 1)
