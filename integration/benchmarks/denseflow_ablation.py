"""What the parts of DenseFlow add: denseflow/fashion-mnist-small without some of them (as in Grcic et al. 2021).

Usage: python integration/benchmarks/denseflow_ablation.py [--out FOLDER] [--seeds 0-1] [--steps N] [--rows NAME...]

Every row is trained alike. "attention" and "no attention" are the flow without noise between units: as many couplings, on four
channels. "reads last" and "reads all" append noise between units that depends on the representation before the last one, or on all
before it; the last row is the recipe. Prints bits per dimension of the test images with 16 importance draws, mean and standard
deviation over the seeds. A folder that was begun is gone on with.
"""

import argparse
from pathlib import Path
from typing import Any

import attrs
from seed_reports import parameters, reports

import diffeo
from diffeo.config import Repeat
from diffeo.seed_names import parse_seeds
from diffeo.seed_runs import Spread

RECIPE, SHAPE = "denseflow/fashion-mnist-small", (1, 16, 16)
METRIC = "likelihood/bits_per_dim"
BLOCK = 2
"""Where the recipe has its block of units."""
NETWORKS = (
    "model.flow.steps[2].cross_unit.steps[0].repeat.steps[2].coupling.network.nystrom_dense_conv",
    "model.flow.steps[4].factor_out.steps[0].repeat.steps[2].coupling.network.nystrom_dense_conv",
)
ROWS = ("no attention", "attention", "reads last", "reads all")


def spec_of(row: str, steps: int | None) -> diffeo.Spec:
    """The recipe, without what the row does without."""
    overrides = [] if steps is None else [f"trainer.steps={steps}"]
    if row == "no attention":
        overrides += [f"{network}.attention=none" for network in NETWORKS]
    if row == "reads last":
        overrides += [f"model.flow.steps[{BLOCK}].cross_unit.reads=last"]
    spec = diffeo.load_spec(RECIPE, overrides=overrides)
    if row.startswith("reads"):
        return spec
    model: Any = spec.model
    block = model.steps[BLOCK]
    plain = Repeat(times=block.units, steps=block.steps)
    return attrs.evolve(spec, model=attrs.evolve(model, steps=(*model.steps[:BLOCK], plain, *model.steps[BLOCK + 1 :])))


def main() -> None:
    parser = argparse.ArgumentParser(description="What the parts of DenseFlow add.")
    parser.add_argument("--out", type=Path, default=Path("runs/denseflow-ablation"), help="folder of the runs")
    parser.add_argument("--seeds", type=parse_seeds, default=(0, 1))
    parser.add_argument("--steps", type=int, help="instead of those of the recipe, to try it out")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, help="some rows")
    arguments = parser.parse_args()
    print(f"| | parameters | bits/dim | sd |\n|{'---|' * 4}")
    for row in arguments.rows:
        spec = spec_of(row, arguments.steps)
        spread = Spread.of(
            [each[METRIC] for each in reports(spec, arguments.out / row.replace(" ", "-"), arguments.seeds)]
        )
        print(f"| {row} | {parameters(spec, SHAPE):,} | {spread.mean:.3f} | {spread.sd:.3f} |", flush=True)


if __name__ == "__main__":
    main()
