"""How near a short run comes to a log-marginal likelihood that is known.

Usage: python integration/benchmarks/marginal_likelihood.py RECIPE... [--set KEY=VALUE]... [--threads N] [--keep FOLDER]

Trains each recipe, then draws 20 times 20,000 samples and prints the ELBO and the importance-sampled log-marginal, each with
its standard deviation over the repetitions, the effective sample size per draw, the truth, and how long training took. With
--keep runs stay in FOLDER, and one that is there already is not trained again.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import diffeo

REPETITIONS, DRAWS = 20, 20_000


@torch.no_grad()
def estimates(model: Any, target: Any, chunk: int = 2_000) -> dict[str, torch.Tensor]:
    """ELBO, importance-sampled log-marginal and effective sample size per draw, for each repetition."""
    rows = []
    for repetition in range(REPETITIONS):
        torch.manual_seed(repetition)
        parts = []
        for _ in range(DRAWS // chunk):
            theta, log_q = model.sample_and_log_prob((chunk,))
            parts.append(target.log_prob(theta) - log_q)
        log_weights = torch.cat(parts)
        total = log_weights.logsumexp(0)
        size = (2 * total - (2 * log_weights).logsumexp(0)).exp() / DRAWS
        rows.append(torch.stack([log_weights.mean(), total - math.log(DRAWS), size]))
    return dict(zip(("elbo", "log_marginal", "size"), torch.stack(rows).unbind(1), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="Short runs against known log-marginals.")
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| recipe | ELBO | log-marginal | ESS per draw | truth | error | seconds |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for recipe in arguments.recipes:
            folder = (arguments.keep or Path(temporary)) / recipe.replace("/", "-")
            spec = diffeo.load_spec(recipe, ["evaluators=[]", *arguments.overrides])
            start = time.perf_counter()
            if not folder.exists():
                diffeo.train(spec, folder, show_progress=False)
            seconds = time.perf_counter() - start
            target: Any = diffeo.make(spec.data)
            found = estimates(diffeo.load(folder), target.double())
            elbo, marginal = (
                f"{found[name].mean():.4f} ± {found[name].std():.4f}" for name in ("elbo", "log_marginal")
            )
            error = found["log_marginal"].mean() - target.log_marginal
            print(
                f"| `{recipe}` | {elbo} | {marginal} | {found['size'].mean():.2f} | {target.log_marginal:.4f} "
                f"| {error:+.4f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
