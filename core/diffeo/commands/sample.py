"""``diffeo sample``."""

import json
import math
import warnings
from pathlib import Path
from typing import Any

import click
import numpy.typing as npt
import torch
from torch import Tensor

import diffeo
from diffeo.commands.files import whole_file
from diffeo.commands.sample_picture import draw_samples
from diffeo.commands.sample_table import NAMELESS, Entries, can_write_netcdf, write_csv, write_netcdf, write_npz
from diffeo.commands.sample_target import target_of
from diffeo.dataset import Target
from diffeo.randomness import seeded

__all__ = ["sample"]

_AT_ONCE = 4096
"""Draws per call of the model: bounds memory whatever -n is."""

_FORMATS = (".png", ".npz", ".csv", ".nc")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-n", "--number", default=64, show_default=True, type=click.IntRange(min=1), help="Draws, per context.")
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(min=0), help="Scales the spread.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Fixes the draws.")
@click.option("--class", "classes", multiple=True, type=click.IntRange(min=0), help="A class, one-hot; repeatable.")
@click.option("--context", metavar="JSON", help="A context, or a list of them, as JSON.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.png, .npz, .csv or .nc.")
def sample(
    model: Path, number: int, temperature: float, seed: int, classes: tuple[int, ...], context: str | None, out: Path
) -> None:
    """Draw from MODEL, a run folder or a model.safetensors, into a file.

    A .png shows images or points on the plane; .npz and .csv take anything. Draws of a run on a target are its parameters
    by name, constraints undone; a .nc is what ArviZ reads (.npz instead where it is not installed).
    """
    if out.suffix not in _FORMATS:
        raise click.UsageError(f"expected -o with one of {', '.join(_FORMATS)}; got {out.name}")
    if not math.isfinite(temperature):
        raise click.UsageError(f"expected --temperature as a finite number; got {temperature}")
    out = _writable(out)
    with whole_file(out) as aside:
        flow = diffeo.load(model)
        contexts = _contexts(flow, classes, context)
        if contexts is not None and out.suffix == ".nc":
            raise click.UsageError("expected -o with .npz or .csv for a flow with a context; got .nc")
        with seeded(seed):
            draws = _draw(flow, number, contexts, temperature)
        if flow.dequantization is not None:
            draws = draws.to(torch.int64)
        if out.suffix == ".png":
            draw_samples(draws, aside)
            said = f"shape {flow.event_shape}"
        else:
            target = target_of(model)
            arrays = _arrays(draws, contexts, target)
            _write(arrays, aside, out.suffix, NAMELESS if target is None else target.entries)
            names = ", ".join(f"{name} {values.shape[1:]}" for name, values in arrays.items())
            said = f"shape {flow.event_shape}" if target is None else names
    click.echo(f"wrote {out}: {number * max(1, len(draws))} draws of {said}")


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
        if len(shape) != 1:
            raise click.UsageError(f"expected --context for a context of shape {shape}, which no class is; got --class")
        if max(classes) >= shape[0]:
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
    if tuple(rows.shape[1:]) != shape or not len(rows):
        raise click.UsageError(f"expected --context of shape {shape}; got {tuple(values.shape)}")
    if not bool(rows.isfinite().all()):
        raise click.UsageError(f"expected --context as finite numbers; got {text}")
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


def _arrays(draws: Tensor, contexts: Tensor | None, target: Target | None) -> dict[str, npt.NDArray[Any]]:
    """Every draw in a row: the parameters of a target by name, or ``x``, and the context where there is one."""
    x = draws.flatten(0, 1)
    if target is not None:
        with torch.no_grad():
            return {name: values.cpu().numpy() for name, values in target.by_name(x).items()}
    if contexts is None:
        return {"x": x.cpu().numpy()}
    return {"x": x.cpu().numpy(), "context": contexts.cpu().repeat_interleave(draws.shape[1], 0).numpy()}


def _write(arrays: dict[str, npt.NDArray[Any]], path: Path, suffix: str, entries: Entries) -> None:
    if suffix == ".npz":
        write_npz(arrays, path)
    else:
        write = write_csv if suffix == ".csv" else write_netcdf
        write(arrays, path, entries)


def _writable(out: Path) -> Path:
    """The file to write: .npz where .nc cannot be."""
    if out.suffix != ".nc" or can_write_netcdf():
        return out
    instead = out.with_suffix(".npz")
    warnings.warn(f"{out.name} needs ArviZ: pip install arviz h5netcdf; writing {instead.name}", stacklevel=2)
    return instead
