"""``diffeo decode``."""

from pathlib import Path

import click
import torch
from torch import Tensor

from diffeo.commands.codes import AT_ONCE, Codes, decode_codes, load_flow, read_codes
from diffeo.commands.files import whole_file
from diffeo.commands.sample_picture import draw_samples
from diffeo.commands.sample_table import write_csv, write_npz
from diffeo.flow_model import FlowModel

__all__ = ["decode"]

_FORMATS = (".png", ".npz", ".csv")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("codes", type=click.Path(path_type=Path))
@click.option("-n", "--number", type=click.IntRange(min=1), help="At most so many codes, the first ones.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.png, FILE.npz or FILE.csv.")
def decode(model: Path, codes: Path, number: int | None, out: Path) -> None:
    """Turn CODES that `diffeo encode` wrote back into data, by the MODEL they are of.

    Latents that the codes leave out are 0. A .png shows images or points on the plane; .npz and .csv take anything.
    """
    if out.suffix not in _FORMATS:
        raise click.UsageError(f"expected -o with one of {', '.join(_FORMATS)}; got {out.name}")
    with whole_file(out) as aside:
        flow = load_flow(model)
        given = read_codes(codes, flow)
        x, context = _decode(flow, given, number)
        if out.suffix == ".png":
            draw_samples(x[None], aside, caption=f"Decoded from the first {given.codes.shape[1]} latents.")
        else:
            parts = {"x": x} if context is None else {"x": x, "context": context}
            write = write_csv if out.suffix == ".csv" else write_npz
            write({name: values.cpu().numpy() for name, values in parts.items()}, aside)
    click.echo(f"wrote {out}: {len(x)} examples of shape {flow.event_shape}")


@torch.no_grad()
def _decode(flow: FlowModel, given: Codes, number: int | None) -> tuple[Tensor, Tensor | None]:
    """The data behind the first codes, integers where the flow models integers, and their contexts."""
    codes = given.codes[:number]
    context = None if given.context is None else given.context[:number]
    contexts = [None] * len(codes) if context is None else context.split(AT_ONCE)
    parts = [
        _strip(flow, decode_codes(flow, part, some), some)
        for part, some in zip(codes.split(AT_ONCE), contexts, strict=False)
    ]
    return torch.cat(parts), context


def _strip(flow: FlowModel, y: Tensor, context: Tensor | None) -> Tensor:
    if flow.dequantization is None:
        return y
    features = context if context is None or flow.context_network is None else flow.context_network(context)
    return flow.dequantization.strip(y, context=features).to(torch.int64)
