"""The horseshoe logistic regression of docs/tutorial-posterior.md by NUTS, beside the summary of a flow.

Needs NumPyro, in an environment of its own: pip install numpyro. Covariates are standardised as by ``scaling: standard``.

    SUMMARY=runs/posterior/report/posterior_summary/posterior_summary.csv
    python integration/benchmarks/nuts_horseshoe.py tumours.csv malignant --flow $SUMMARY
"""

import argparse
import csv
import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.diagnostics import summary
from numpyro.infer import MCMC, NUTS

HEADER = ("parameter", "NUTS mean", "sd", "ess", "r_hat", "flow mean", "sd", "weighted mean", "sd")


def model(x, y):
    dim = x.shape[1]
    local = numpyro.sample("lambda", dist.HalfCauchy(1.0).expand([dim]).to_event(1))
    tau = numpyro.sample("tau", dist.HalfCauchy(1.0))
    raw = numpyro.sample("raw", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    intercept = numpyro.sample("intercept", dist.Cauchy(0.0, 10.0))
    beta = numpyro.deterministic("beta", tau * local * raw)
    numpyro.sample("y", dist.Bernoulli(logits=x @ beta + intercept), obs=y)


def read(path, label):
    with open(path) as file:
        header, *rows = csv.reader(file)
    names, table = [name for name in header if name != label], np.array(rows, dtype=float)
    x = table[:, [header.index(name) for name in names]]
    return names, (x - x.mean(0)) / x.std(0), table[:, header.index(label)]


def run(x, y, options):
    chains = MCMC(
        NUTS(model, target_accept_prob=0.95),
        num_warmup=options.warmup,
        num_samples=options.draws,
        num_chains=options.chains,
        chain_method="sequential",
        progress_bar=False,
    )
    start = time.perf_counter()
    chains.run(jax.random.PRNGKey(0), jnp.asarray(x), jnp.asarray(y), extra_fields=("diverging",))
    seconds = time.perf_counter() - start
    divergent = int(chains.get_extra_fields()["diverging"].sum())
    print(
        f"NUTS, {options.chains} chains of {options.warmup} + {options.draws}: {seconds:.0f} s, {divergent} divergent"
    )
    return chains.get_samples(group_by_chain=True)


def rows(draws, names):
    """(name, mean, sd, ess, r_hat) of the coefficients, their scale and the intercept."""
    for parameter, entries in (("beta", names), ("tau", None), ("intercept", None)):
        found = summary({parameter: draws[parameter]}, prob=0.9)[parameter]
        columns = [np.atleast_1d(found[key]) for key in ("mean", "std", "n_eff", "r_hat")]
        titles = [parameter] if entries is None else [f"{parameter}[{entry}]" for entry in entries]
        yield from zip(titles, *columns, strict=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("label")
    parser.add_argument("--flow", help="posterior_summary.csv of a run")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    names, x, y = read(options.path, options.label)
    flow = {}
    if options.flow:
        with open(options.flow) as file:
            flow = {row["parameter"]: row for row in csv.DictReader(file)}
    found = run(x, y, options)
    print("{:23s}{:>10s}{:>8s}{:>8s}{:>8s}{:>12s}{:>8s}{:>15s}{:>8s}".format(*HEADER))
    for name, mean, sd, ess, r_hat in rows(found, names):
        line = f"{name:23s}{mean:10.3f}{sd:8.3f}{ess:8.0f}{r_hat:8.3f}"
        if name in flow:
            values = (float(flow[name][key]) for key in ("mean", "sd", "weighted_mean", "weighted_sd"))
            line += "{:12.3f}{:8.3f}{:15.3f}{:8.3f}".format(*values)
        print(line)


if __name__ == "__main__":
    main()
