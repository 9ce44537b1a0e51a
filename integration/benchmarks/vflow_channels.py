"""More channels at the same number of parameters: vflow/fashion-mnist-small with 1, 2 and 4 channels (Chen et al. 2020, Table 2).

Usage: python integration/benchmarks/vflow_channels.py [--out FOLDER] [--seeds 0-2] [--steps N] [--channels 1 2 4] [--sizes-only]

The flow of 4 channels is the recipe; those with fewer have wider networks in p, as wide as the number of parameters of the recipe
allows, and the same steps, r and q. One channel is the plain flow, without q. Prints bits per dimension of the test images with 16
importance draws, mean and standard deviation over the seeds. A folder that was begun is gone on with.
"""

import argparse
from pathlib import Path
from typing import Any

import attrs
from seed_reports import parameters, reports

import diffeo
from diffeo.seed_names import parse_seeds
from diffeo.seed_runs import Spread

RECIPE, SHAPE = "vflow/fashion-mnist-small", (1, 16, 16)
METRIC = "likelihood/bits_per_dim"
AUGMENT, BEHIND = 2, (3, 5, 6)
"""Where the recipe has the augmenter, and the couplings of p behind it."""
CHANNELS = (1, 2, 4)


def spec_of(channels: int, width: int | None, steps: int | None = None) -> diffeo.Spec:
    """The recipe with that many channels and networks of that width in p; None: as in the recipe."""
    overrides = [] if steps is None else [f"trainer.steps={steps}"]
    if width is not None:
        place = "model.flow.steps[{}].repeat.steps[2].coupling.network.gated_conv_attention.channels={}"
        overrides += [place.format(index, width) for index in BEHIND]
    if channels > 1:
        overrides += [f"model.flow.steps[{AUGMENT}].vflow.dims={channels - 1}"]
        return diffeo.load_spec(RECIPE, overrides=overrides)
    spec = diffeo.load_spec(RECIPE, overrides=overrides)
    model: Any = spec.model
    plain = (*model.steps[:AUGMENT], *model.steps[AUGMENT + 1 :])
    return attrs.evolve(spec, model=attrs.evolve(model, steps=plain))


def widest(channels: int, budget: int) -> int:
    """The widest networks of p that stay within a number of parameters."""
    width = 1
    while parameters(spec_of(channels, width + 1), SHAPE) <= budget:
        width += 1
    return width


def main() -> None:
    parser = argparse.ArgumentParser(description="More channels at the same number of parameters.")
    parser.add_argument("--out", type=Path, default=Path("runs/vflow-channels"), help="folder of the runs")
    parser.add_argument("--seeds", type=parse_seeds, default=(0, 1, 2))
    parser.add_argument("--steps", type=int, help="instead of those of the recipe, to try it out")
    parser.add_argument("--channels", type=int, nargs="+", choices=CHANNELS, default=CHANNELS, help="some rows")
    parser.add_argument("--sizes-only", action="store_true", help="print widths and parameters, train nothing")
    arguments = parser.parse_args()
    budget = parameters(spec_of(CHANNELS[-1], None), SHAPE)
    print(f"| channels | width of p | parameters | bits/dim | sd |\n|{'---|' * 5}")
    for channels in arguments.channels:
        width = widest(channels, budget)
        spec = spec_of(channels, width, arguments.steps)
        row = f"| {channels} | {width} | {parameters(spec, SHAPE):,} |"
        if arguments.sizes_only:
            print(f"{row} | |")
            continue
        spread = Spread.of(
            [each[METRIC] for each in reports(spec, arguments.out / f"channels-{channels}", arguments.seeds)]
        )
        print(f"{row} {spread.mean:.3f} | {spread.sd:.3f} |", flush=True)


if __name__ == "__main__":
    main()
