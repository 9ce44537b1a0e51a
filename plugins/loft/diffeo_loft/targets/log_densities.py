"""Log-densities, elementwise, in nats."""

import math

import torch
from torch import Tensor

__all__ = ["cauchy", "half_cauchy", "inverse_gamma", "normal"]


def normal(x: Tensor, log_sd: Tensor) -> Tensor:
    """N(0, sd^2)."""
    return -0.5 * (x * (-log_sd).exp()).square() - log_sd - 0.5 * math.log(2 * math.pi)


def half_cauchy(x: Tensor) -> Tensor:
    """Of scale 1, at x > 0."""
    return math.log(2 / math.pi) - torch.log1p(x.square())


def cauchy(x: Tensor, scale: float) -> Tensor:
    """Around 0."""
    return -math.log(math.pi * scale) - torch.log1p((x / scale).square())


def inverse_gamma(x: Tensor, shape: float, rate: float) -> Tensor:
    """x^(-shape - 1) exp(-rate / x), normalised, at x > 0."""
    return shape * math.log(rate) - math.lgamma(shape) - (shape + 1) * x.log() - rate / x
