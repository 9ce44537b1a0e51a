"""Recipes: every target in three sizes, with the paper's protocol and in minutes; every method, on the funnel.

``scripts/make_recipes.py`` writes their files.
"""

from diffeo_registry import Recipe

__all__ = ["RECIPES"]

ANDRADE = "Andrade 2024, arXiv:2402.16408"

TARGETS = {
    "funnel": "Neal's funnel",
    "multivariate-student-t": "A correlated Cauchy density",
    "normal-mixture": "A mixture of three normal densities",
    "conjugate-linear-regression": "A conjugate linear regression",
    "horseshoe-logistic-regression": "A logistic regression with the horseshoe prior",
    "bayesian-lasso": "A linear regression with the Laplace prior",
}
DIMS = (10, 100, 1000)

METHODS = {
    "mean-field": "A mean-field normal",
    "real-nvp": "Real NVP without a clamp",
    "symmetric-clamp": "A symmetric soft clamp",
    "ataf": "Anisotropic tails as described, with tanh",
    "ataf-as-released": "Anisotropic tails as released, without a clamp",
    "proposed-gaussian": "The proposed flow with a normal base",
    "proposed-gaussian-without-loft": "The proposed clamp alone with a normal base",
    "proposed-student": "The proposed flow with a Student-t base",
    "proposed-student-without-loft": "The proposed clamp alone with a Student-t base",
}


def _recipe(name: str, summary: str) -> Recipe:
    return Recipe(name=f"loft/{name}", file=f"diffeo_loft:recipes/loft/{name}.yaml", summary=summary, source=ANDRADE)


RECIPES = [
    *(
        _recipe(f"{name}-{dim}{suffix}", f"{title}, dim {dim}, {protocol}.")
        for name, title in TARGETS.items()
        for dim in DIMS
        for suffix, protocol in (("", "with the paper's protocol"), ("-short", "in minutes"))
    ),
    *(_recipe(name, f"{title}, on the funnel, with the paper's protocol.") for name, title in METHODS.items()),
]
