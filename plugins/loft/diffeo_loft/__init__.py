"""Variational inference that stays stable in high dimensions. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_loft.config import Loft, ReverseKL, SoftClamp, StudentT, TwoMLPs
from diffeo_loft.config_evaluators import (
    MarginalLikelihood,
    PosteriorPairs,
    PosteriorSummary,
    SlicedWasserstein,
    ValueGrowth,
)
from diffeo_loft.config_targets import (
    BayesianLasso,
    ConjugateLinearRegression,
    Funnel,
    HorseshoeLogisticRegression,
    MultivariateStudentT,
    NormalMixture,
)
from diffeo_registry import lazy_names

if TYPE_CHECKING:
    from diffeo_loft.evaluators.draws import ExactDraws
    from diffeo_loft.evaluators.marginal_likelihood import MarginalLikelihoodEvaluator
    from diffeo_loft.evaluators.posterior_pairs import PosteriorPairsEvaluator
    from diffeo_loft.evaluators.posterior_summary import PosteriorSummaryEvaluator
    from diffeo_loft.evaluators.sliced_wasserstein import SlicedWassersteinEvaluator
    from diffeo_loft.evaluators.value_growth import ValueGrowthEvaluator
    from diffeo_loft.loft import LoftBijector
    from diffeo_loft.reverse_kl import ReverseKLObjective
    from diffeo_loft.score import Pushed, push_score
    from diffeo_loft.soft_clamp import SoftClampScale
    from diffeo_loft.student_t import StudentTDistribution
    from diffeo_loft.targets.bayesian_lasso import BayesianLassoTarget
    from diffeo_loft.targets.conjugate_linear_regression import ConjugateLinearRegressionTarget
    from diffeo_loft.targets.funnel import FunnelTarget
    from diffeo_loft.targets.horseshoe_logistic_regression import HorseshoeLogisticRegressionTarget
    from diffeo_loft.targets.layout_target import LayoutTarget
    from diffeo_loft.targets.multivariate_student_t import MultivariateStudentTTarget
    from diffeo_loft.targets.normal_mixture import NormalMixtureTarget
    from diffeo_loft.two_mlps import TwoMLPsNetwork

_HOME = {
    "BayesianLassoTarget": "targets.bayesian_lasso",
    "ConjugateLinearRegressionTarget": "targets.conjugate_linear_regression",
    "ExactDraws": "evaluators.draws",
    "FunnelTarget": "targets.funnel",
    "HorseshoeLogisticRegressionTarget": "targets.horseshoe_logistic_regression",
    "LayoutTarget": "targets.layout_target",
    "LoftBijector": "loft",
    "MarginalLikelihoodEvaluator": "evaluators.marginal_likelihood",
    "MultivariateStudentTTarget": "targets.multivariate_student_t",
    "NormalMixtureTarget": "targets.normal_mixture",
    "PosteriorPairsEvaluator": "evaluators.posterior_pairs",
    "PosteriorSummaryEvaluator": "evaluators.posterior_summary",
    "Pushed": "score",
    "ReverseKLObjective": "reverse_kl",
    "SlicedWassersteinEvaluator": "evaluators.sliced_wasserstein",
    "SoftClampScale": "soft_clamp",
    "StudentTDistribution": "student_t",
    "TwoMLPsNetwork": "two_mlps",
    "ValueGrowthEvaluator": "evaluators.value_growth",
    "push_score": "score",
}

__all__ = [
    "BayesianLasso",
    "BayesianLassoTarget",
    "ConjugateLinearRegression",
    "ConjugateLinearRegressionTarget",
    "ExactDraws",
    "Funnel",
    "FunnelTarget",
    "HorseshoeLogisticRegression",
    "HorseshoeLogisticRegressionTarget",
    "LayoutTarget",
    "Loft",
    "LoftBijector",
    "MarginalLikelihood",
    "MarginalLikelihoodEvaluator",
    "MultivariateStudentT",
    "MultivariateStudentTTarget",
    "NormalMixture",
    "NormalMixtureTarget",
    "PosteriorPairs",
    "PosteriorPairsEvaluator",
    "PosteriorSummary",
    "PosteriorSummaryEvaluator",
    "Pushed",
    "ReverseKL",
    "ReverseKLObjective",
    "SlicedWasserstein",
    "SlicedWassersteinEvaluator",
    "SoftClamp",
    "SoftClampScale",
    "StudentT",
    "StudentTDistribution",
    "TwoMLPs",
    "TwoMLPsNetwork",
    "ValueGrowth",
    "ValueGrowthEvaluator",
    "push_score",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
