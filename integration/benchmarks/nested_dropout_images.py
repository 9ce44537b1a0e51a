"""What nested dropout does to a flow over images: reconstructions from the first k latents, with it and without it.

Usage: python integration/benchmarks/nested_dropout_images.py [--batch-norm] [--out FOLDER] [--set KEY=VALUE ...]

Trains the recipe nested-dropout/fashion-mnist-small and the same flow by maximum likelihood alone. Prints the test error of what
the first k latents are decoded to (per pixel, on the scale 0 to 256, with the noise of dequantization), beside that of PCA of
the training images, and the likelihoods. Checks that nested dropout is better at every k below a quarter of the dimensions, by a
factor of two or more at k = 16, and that the plain flow's own order is better than the reversed one.

With --batch-norm it trains the recipe with batch normalisation in the networks instead, once for each kind of statistics that the
way back may normalise with, and compares them with the recipe as it is. Runs already in the folder are not trained again; those
that were interrupted go on.
"""

import argparse
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import diffeo
from diffeo_nested_dropout import keep_first, latent_ranks
from diffeo_nested_dropout.truncation import LatentOrder

RECIPE = "nested-dropout/fashion-mnist-small"
NETWORK = "model.flow.steps[1].multiscale.steps[1].repeat.steps[2].coupling.network.conv_resnet"
PLAIN = ["objective.nested_dropout.weight=0"]
BATCH_NORM = {
    "none": [],
    "batch, frozen": [f"{NETWORK}.norm=batch"],
    "batch, batch": [f"{NETWORK}.norm=batch", "objective.nested_dropout.statistics=batch"],
}
SHOWN = (1, 2, 4, 8, 16, 32, 48, 63)


def trained(name: str, overrides: list[str], arguments: argparse.Namespace) -> Any:
    """The flow of a run, trained unless it was before; an interrupted run goes on."""
    folder = arguments.out / name.replace(", ", "-")
    if folder.is_dir():
        diffeo.resume(folder)
    else:
        diffeo.train(diffeo.load_spec(RECIPE, overrides=["evaluators=[]", *arguments.set, *overrides]), out=folder)
    return diffeo.load(folder).eval()


def images(split: str) -> Tensor:
    """All images of a split, without flips."""
    data = diffeo.make(diffeo.load_spec(RECIPE).data, 0)
    return data.batch(split, torch.arange(data.size(split)))["x"]


def noisy(x: Tensor) -> Tensor:
    """The continuous points that every flow is measured with, the same for all."""
    return x + torch.rand(x.shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def errors(flow: Any, y: Tensor, sizes: list[int], order: LatentOrder = "natural") -> Tensor:
    """Mean squared error per pixel of every image from its first k latents, for all k: ``(K, N)``."""
    z = flow.encode(y)[0]
    ranks = latent_ranks(order, z.shape[-1])
    decoded = (flow.decode(keep_first(z, torch.full((len(z),), size), ranks)) for size in sizes)
    return torch.stack([(point - y).square().flatten(1).mean(1) for point in decoded])


def principal_errors(train: Tensor, y: Tensor, sizes: list[int]) -> Tensor:
    """The same for the projections on the mean of the training points plus their first k principal axes."""
    rows, points = train.flatten(1).double(), y.flatten(1).double()
    mean = rows.mean(0)
    axes = torch.linalg.eigh((rows - mean).T @ (rows - mean)).eigenvectors.flip(1)
    coordinates = (points - mean) @ axes
    return torch.stack([coordinates[:, size:].square().sum(1) / rows.shape[1] for size in sizes])


@torch.no_grad()
def bits(flow: Any, y: Tensor) -> Tensor:
    """Bits per dimension of every image, at the given noise."""
    z, log_weight = flow.encode(y)
    return -(flow.base.log_prob(z) + log_weight) / (math.log(2) * y[0].numel())


def with_error(values: Tensor, digits: int) -> str:
    """Mean and standard error over images."""
    return f"{values.mean().item():.{digits}f} ± {values.std().item() / len(values) ** 0.5:.{digits}f}"


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def ordering(arguments: argparse.Namespace) -> bool:
    """Train both flows, print errors, likelihoods and checks; true if all of these hold."""
    nested, plain = trained("nested", [], arguments), trained("plain", PLAIN, arguments)
    y, train = noisy(images("test")), noisy(images("train"))
    dims = y[0].numel()
    few = list(range(1, math.ceil(dims / 4)))
    sizes = [*few, dims]
    curves = {
        "nested dropout": errors(nested, y, sizes),
        "plain": errors(plain, y, sizes),
        "plain, reversed": errors(plain, y, sizes, "reversed"),
        "PCA": principal_errors(train, y, sizes),
    }
    print_curves(curves, sizes)
    costs = {"nested dropout": bits(nested, y), "plain": bits(plain, y)}
    for name, values in costs.items():
        print(f"{name}: {with_error(values, 4)} bits/dim")
    print(f"cost: {with_error(costs['nested dropout'] - costs['plain'], 4)} bits/dim\n")
    results = [checked(name, ok) for name, ok in checks(curves, len(few))]
    return all(results)


def print_curves(curves: dict[str, Tensor], sizes: list[int]) -> None:
    """The table, and how sure its numbers are."""
    print(row("k", *curves), row("---", *("---" for _ in curves)), sep="\n")
    for size in (*SHOWN, sizes[-1]):
        print(row(size, *(f"{curve[sizes.index(size)].mean().item():.5g}" for curve in curves.values())))
    count = curves["plain"].shape[1]
    largest = max(float((curve.std(1) / curve.mean(1)).max()) for curve in curves.values()) / count**0.5
    print(f"\n{count} test images; the largest standard error of a mean is {largest:.1%} of it\n")


def checks(curves: dict[str, Tensor], few: int) -> Iterator[tuple[str, bool]]:
    """What has to hold below a quarter of the dimensions."""
    nested, plain, backwards = (curves[name].mean(1)[:few] for name in ("nested dropout", "plain", "plain, reversed"))
    yield f"nested dropout below plain at every k from 1 to {few}", bool((nested < plain).all())
    ratio = float(plain[15] / nested[15])
    yield f"by a factor of two or more at k = 16: {ratio:.1f}", ratio >= 2
    gain = curves["plain, reversed"][:few] - curves["plain"][:few]  # by k and image
    errors = gain.std(1) / math.sqrt(gain.shape[1])
    ordered = bool((gain.mean(1) > -2 * errors).all()) and bool(plain.mean() < backwards.mean())
    first = next((k for k in range(few) if bool((gain.mean(1) > 2 * errors)[k:].all())), few) + 1
    yield f"plain below plain reversed from k = {first} on, and up to there equal within two standard errors", ordered


def checked(name: str, ok: bool) -> bool:
    print(f"{'holds' if ok else 'FAILS'}: {name}")
    return ok


def batch_norm(arguments: argparse.Namespace) -> bool:
    """Train with and without batch normalisation and print what the statistics on the way back change."""
    y, batch = noisy(images("test")), noisy(images("train")[:64])
    print(
        row("norm, statistics", "bits/dim", "MSE at 16", "MSE at 64", "training-mode error"),
        row(*["---"] * 5),
        sep="\n",
    )
    for name, overrides in BATCH_NORM.items():
        flow = trained("nested" if name == "none" else f"norm {name}", overrides, arguments)
        at_16, at_64 = (f"{curve.mean().item():.5g}" for curve in errors(flow, y, [16, 64]))
        error = training_error(flow, batch, frozen=name != "batch, batch")
        print(row(name, with_error(bits(flow, y), 3), at_16, at_64, f"{error:.2g}"))
    return True


@torch.no_grad()
def training_error(flow: Any, y: Tensor, *, frozen: bool) -> float:
    """Root mean squared error per pixel, in training mode, of images with all latents among as many with 16 latents."""
    flow.train()
    with ExitStack() as stack:
        if frozen:
            stack.enter_context(diffeo.recorded_statistics(flow))
        z = flow.encode(y)[0]
        half = len(z) // 2
        kept = torch.tensor([z.shape[-1]] * half + [16] * (len(z) - half))
        if frozen:
            stack.enter_context(diffeo.replayed_statistics(flow))
        decoded = flow.decode(keep_first(z, kept, latent_ranks("natural", z.shape[-1])))
    flow.eval()
    return (decoded - y)[:half].square().mean().sqrt().item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Images from their first latents, with nested dropout and without.")
    parser.add_argument("--batch-norm", action="store_true", help="compare batch normalisation instead")
    parser.add_argument("--out", type=Path, default=Path("runs/nested-dropout-images"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes to the recipe")
    arguments = parser.parse_args()
    measure = batch_norm if arguments.batch_norm else ordering
    raise SystemExit(not measure(arguments))


if __name__ == "__main__":
    main()
