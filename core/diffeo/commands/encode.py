"""``diffeo encode``."""

import math
from pathlib import Path

import click
import torch
from torch import Tensor

from diffeo.commands.codes import AT_ONCE, Codes, decode_codes, load_flow, write_codes
from diffeo.commands.examples_source import Source, open_source
from diffeo.commands.files import whole_file
from diffeo.evaluators.examples import batches
from diffeo.flow_model import FlowModel
from diffeo.randomness import seeded
from diffeo.run_folder import run_folder
from diffeo_registry import Document

__all__ = ["encode"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("-k", "--keep", type=click.IntRange(min=1), help="Latents to keep, the first ones; by default all.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), help="Split of a data set; by default test.")
@click.option("-n", "--number", type=click.IntRange(min=1), help="At most so many examples, the first ones.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Decides which examples of a data set are in which split, and draws an augmenter's noise; by default that of the run.",
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.npz.")
def encode(
    model: Path, data: str, keep: int | None, split: str | None, number: int | None, seed: int | None, out: Path
) -> None:
    """Turn DATA into codes: the first latents of MODEL, a run folder or a model.safetensors.

    DATA is a file (.npy, .npz, .csv), all of whose examples are taken, or a data set as a spec names it: fashion_mnist_small,
    or '{csv: {path: points.csv}}'. Latents are kept in the flow's own order, the deepest level of a multi-scale flow first.
    Integers are encoded at the middle of their cell, x + 1/2, without noise.
    """
    if out.suffix != ".npz":
        raise click.UsageError(f"expected -o with .npz; got {out.name}")
    with whole_file(out) as aside:
        flow = load_flow(model)
        num_latents = math.prod(flow.latent_shape)
        if keep is not None and keep > num_latents:
            raise click.UsageError(f"expected -k of at most {num_latents}, the latents of this flow; got {keep}")
        seed = _seed_of(model) if seed is None else seed
        source = open_source(data, flow, split=split, seed=seed)
        if number is None and source.data.size(source.split) is None:
            raise click.UsageError(f"expected -n for the split {source.split!r} of {data}, which is endless")
        with seeded(seed):
            codes, error = _encode(flow, source, number, keep or num_latents)
        write_codes(codes, aside)
    click.echo(f"wrote {out}: {len(codes.codes)} codes of {codes.codes.shape[1]} of {num_latents} latents")
    click.echo(f"reconstruction error: {error}")


def _seed_of(model: Path) -> int:
    """The seed of the run that a model belongs to, whose splits its data had; 0 for a file that lies in none."""
    folder = run_folder(model)
    if not ((folder / "spec.yaml").is_file() and (folder / "checkpoints").is_dir()):
        return 0
    return Document.read(folder / "spec.yaml").data["seed"]


class _Error:
    """The mean squared error of reconstructions beside the variance of what they reconstruct, both per dimension."""

    def __init__(self) -> None:
        self.count, self.shift, self.total = 0, torch.zeros(()), torch.zeros(())
        self.sums = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, y: Tensor, decoded: Tensor) -> None:
        """Take a batch in."""
        y, decoded = y.double().flatten(1), decoded.double().flatten(1)
        if not self.count:
            self.shift = y.mean(0)  # sums of deviations from about the mean keep their digits
        self.count += len(y)
        self.total = self.total + (y - decoded).square().sum(0)
        self.sums = self.sums + (y - self.shift).sum(0)
        self.squares = self.squares + (y - self.shift).square().sum(0)

    def __str__(self) -> str:
        error = float((self.total / self.count).mean())
        variance = float((self.squares / self.count - (self.sums / self.count).square()).mean())
        share = f", {100 * error / variance:.4g} % of the variance of the data" if variance > 0 else ""
        return f"{error:.6g} per dimension (mean square){share}"


@torch.no_grad()
def _encode(flow: FlowModel, source: Source, number: int | None, keep: int) -> tuple[Codes, _Error]:
    """The codes of all examples, and how well they reconstruct them."""
    error, parts = _Error(), dict[str, list[Tensor]]()
    for batch in batches(source.data, source.split, max_examples=number, batch_size=AT_ONCE, like=flow.like):
        y, context = _continuous(flow, batch["x"]), batch.get("context")
        z, _ = flow.encode(y, context=context)
        codes = z.flatten(1)[:, :keep]
        error.add(y, decode_codes(flow, codes, context))
        for name, values in {**batch, "codes": codes}.items():
            parts.setdefault(name, []).append(values)
    whole = {name: torch.cat(values) for name, values in parts.items() if name != "x"}
    bad = (~whole["codes"].isfinite().all(1)).nonzero().flatten().tolist()
    if bad:
        raise ValueError(
            f"expected data that this flow can encode; got latents that are not finite at example {bad[0]}"
        )
    return Codes(whole["codes"], math.prod(flow.latent_shape), whole.get("context"), whole.get("y")), error


def _continuous(flow: FlowModel, x: Tensor) -> Tensor:
    """The point that stands for x: for integers the middle of the cell, so that a code is no matter of chance."""
    if flow.dequantization is None:
        return x
    if x.is_floating_point() and bool((x != x.floor()).any()):
        raise ValueError(f"expected whole numbers, which this flow models; got {float(x[x != x.floor()][0]):g}")
    return x.to(flow.like.dtype) + 0.5
