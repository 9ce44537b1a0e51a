"""Synthetic regressions (Andrade 2024): sparse coefficients, correlated covariates.

    x ~ N(0, C), C_ij = rho^|i - j|        beta = (3, 1.5, 0, 0, 2, 0, ..., 0)
    linear    y = x'beta + N(0, 3^2)            rho = 0.5
    logistic  y ~ Bernoulli(sigmoid(x'beta + 1))    rho = 0.1

Folds are drawn one after the other from one generator. They depend on numpy's generator and, by the signs of singular vectors,
on its LAPACK; ``tests/test_targets_data.py`` has checksums.

N = 100 examples, D covariates.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["coefficients", "linear", "logistic"]

Array = npt.NDArray[np.float64]

SEED = 293309
EXAMPLES = 100


def coefficients(dim: int) -> Array:
    """beta, of which only three entries are not zero."""
    beta = np.zeros(max(dim, 5))
    beta[[0, 1, 4]] = 3.0, 1.5, 2.0
    return beta[:dim]


def linear(dim: int, fold: int) -> tuple[Array, Array]:
    """Covariates (N, D) and responses (N,)."""
    generator = np.random.default_rng(SEED)

    def draw() -> tuple[Array, Array]:
        x = _covariates(generator, dim, 0.5)
        return x, x @ coefficients(dim) + generator.normal(0.0, 3.0, EXAMPLES)

    return [draw() for _ in range(fold + 1)][-1]


def logistic(dim: int, fold: int) -> tuple[Array, Array]:
    """Covariates (N, D) and labels 0 or 1 (N,)."""
    generator = np.random.default_rng(SEED)

    def draw() -> tuple[Array, Array]:
        x = _covariates(generator, dim, 0.1)
        probability = 1 / (1 + np.exp(-(x @ coefficients(dim) + 1.0)))
        return x, generator.binomial(1, probability).astype(np.float64)

    return [draw() for _ in range(fold + 1)][-1]


def _covariates(generator: np.random.Generator, dim: int, rho: float) -> Array:
    places = np.arange(dim)
    covariance = rho ** np.abs(places[:, None] - places[None, :]).astype(np.float64)
    return generator.multivariate_normal(np.zeros(dim), covariance, size=EXAMPLES)
