"""Nested dropout flows: latents ordered by importance. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_nested_dropout.config import Categorical, Geometric, NestedDropout, Uniform
from diffeo_nested_dropout.config_data import RotatedGaussian
from diffeo_nested_dropout.config_evaluators import OrderedProjection, ProgressiveSamples, ReconstructionCurve
from diffeo_registry import lazy_names

if TYPE_CHECKING:
    from diffeo_nested_dropout.categorical import CategoricalOrder
    from diffeo_nested_dropout.evaluators.ordered_projection import OrderedProjectionEvaluator
    from diffeo_nested_dropout.evaluators.progressive_samples import ProgressiveSamplesEvaluator
    from diffeo_nested_dropout.evaluators.reconstruction_curve import ReconstructionCurveEvaluator
    from diffeo_nested_dropout.geometric import GeometricOrder
    from diffeo_nested_dropout.nested_dropout import NestedDropoutObjective
    from diffeo_nested_dropout.order import Order
    from diffeo_nested_dropout.rotated_gaussian import RotatedGaussianDataset
    from diffeo_nested_dropout.truncation import keep_first, latent_ranks
    from diffeo_nested_dropout.uniform import UniformOrder

_HOME = {
    "CategoricalOrder": "categorical",
    "GeometricOrder": "geometric",
    "NestedDropoutObjective": "nested_dropout",
    "Order": "order",
    "OrderedProjectionEvaluator": "evaluators.ordered_projection",
    "ProgressiveSamplesEvaluator": "evaluators.progressive_samples",
    "ReconstructionCurveEvaluator": "evaluators.reconstruction_curve",
    "RotatedGaussianDataset": "rotated_gaussian",
    "UniformOrder": "uniform",
    "keep_first": "truncation",
    "latent_ranks": "truncation",
}

__all__ = [
    "Categorical",
    "CategoricalOrder",
    "Geometric",
    "GeometricOrder",
    "NestedDropout",
    "NestedDropoutObjective",
    "Order",
    "OrderedProjection",
    "OrderedProjectionEvaluator",
    "ProgressiveSamples",
    "ProgressiveSamplesEvaluator",
    "ReconstructionCurve",
    "ReconstructionCurveEvaluator",
    "RotatedGaussian",
    "RotatedGaussianDataset",
    "Uniform",
    "UniformOrder",
    "keep_first",
    "latent_ranks",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
