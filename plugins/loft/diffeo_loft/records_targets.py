"""Records of the targets."""

from diffeo_registry import Component

__all__ = ["COMPONENTS"]

ANDRADE = "Andrade 2024, arXiv:2402.16408"


def _target(name: str, config: str, summary: str, source: str) -> Component:
    return Component(
        kind="target",
        name=name,
        config=f"diffeo_loft.config_targets:{config}",
        implementation=f"diffeo_loft.targets.{name}:{config}Target",
        summary=summary,
        source=f"{source}; {ANDRADE}",
    )


COMPONENTS = [
    _target(
        "funnel", "Funnel", "Neal's funnel, a neck that is hard to enter.", "Neal 2003, doi:10.1214/aos/1056562461"
    ),
    _target(
        "multivariate_student_t",
        "MultivariateStudentT",
        "Correlated entries with heavy tails; a Cauchy by default.",
        "Kotz & Nadarajah 2004",
    ),
    _target("normal_mixture", "NormalMixture", "Three round modes in a row, well apart.", "McLachlan & Peel 2000"),
    _target(
        "conjugate_linear_regression",
        "ConjugateLinearRegression",
        "Linear regression whose posterior and marginal likelihood are known; synthetic data or a file.",
        "Bishop 2006, exercises 3.12 and 3.23",
    ),
    _target(
        "horseshoe_logistic_regression",
        "HorseshoeLogisticRegression",
        "Logistic regression with the horseshoe prior; synthetic data or a file.",
        "Carvalho et al. 2010, doi:10.1093/biomet/asq017",
    ),
    _target(
        "bayesian_lasso",
        "BayesianLasso",
        "Linear regression with the Laplace prior; synthetic data or a file.",
        "Park & Casella 2008, doi:10.1198/016214508000000337",
    ),
]
