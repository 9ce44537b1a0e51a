"""Records of the evaluators."""

from diffeo_registry import Component

__all__ = ["COMPONENTS"]

ANDRADE = "Andrade 2024, arXiv:2402.16408"


def _evaluator(name: str, config: str, summary: str, source: str = "") -> Component:
    return Component(
        kind="evaluator",
        name=name,
        config=f"diffeo_loft.config_evaluators:{config}",
        implementation=f"diffeo_loft.evaluators.{name}:{config}Evaluator",
        summary=summary,
        source=source,
    )


COMPONENTS = [
    _evaluator(
        "marginal_likelihood",
        "MarginalLikelihood",
        "ELBO and importance-sampled log-marginal of a target, effective sample size, Pareto k.",
        f"{ANDRADE}; Vehtari et al. 2024, arXiv:1507.02646",
    ),
    _evaluator(
        "posterior_pairs", "PosteriorPairs", "A corner plot of the parameters, over exact draws where there are any."
    ),
    _evaluator(
        "posterior_summary",
        "PosteriorSummary",
        "Mean, standard deviation, quantiles and importance-weighted means, by the names of the parameters.",
    ),
    _evaluator(
        "sliced_wasserstein",
        "SlicedWasserstein",
        "Sliced Wasserstein distance to exact draws of the target, beside that of exact draws to each other.",
        "Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3",
    ),
    _evaluator(
        "value_growth",
        "ValueGrowth",
        "How large values are after every layer of a flow, in a table and a picture.",
        ANDRADE,
    ),
]
