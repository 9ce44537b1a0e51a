"""The fields of the targets of this package. No torch here."""

from pathlib import Path
from typing import Literal

import attrs

from diffeo_registry import field

__all__ = [
    "BayesianLasso",
    "ConjugateLinearRegression",
    "Funnel",
    "HorseshoeLogisticRegression",
    "MultivariateStudentT",
    "NormalMixture",
]


@attrs.frozen(kw_only=True)
class Funnel:
    """Neal's funnel: the scale of all entries but the first is a function of the first."""

    dim: int = field(10, help="Entries of theta.", ge=2)


@attrs.frozen(kw_only=True)
class MultivariateStudentT:
    """A Student-t distribution of correlated entries; by default a Cauchy, which has no mean."""

    dim: int = field(10, help="Entries of theta.", ge=1)
    df: float = field(1.0, help="Degrees of freedom (Andrade 2024 takes 1).", gt=0)
    loc: float = field(2.0, help="Location of every entry (Andrade 2024).")
    correlation: float = field(0.8, help="Off-diagonal entry of the shape matrix (Andrade 2024).", ge=0, lt=1)


@attrs.frozen(kw_only=True)
class NormalMixture:
    """Three normal distributions of unit covariance in a row."""

    dim: int = field(10, help="Entries of theta.", ge=1)
    distance: float = field(6.0, help="Between neighbouring modes, whatever dim is (Andrade 2024).", ge=0)


@attrs.frozen(kw_only=True)
class _Regression:
    """Fields of the regressions: synthetic data, or those of a file."""

    dim: int | None = field(None, help="Covariates of the synthetic data; 10 if there is no path either.", ge=1)
    fold: int = field(1, help="Which draw of the synthetic data (Andrade 2024 takes 1).", ge=0, le=19)
    path: Path | None = field(
        None, help="A text file of numbers, one example a line, in UTF-8, instead of synthetic data."
    )
    label: str | None = field(None, help="With path: name of the column that is explained.")
    columns: tuple[str, ...] | None = field(
        None, help="With path: names of the columns that explain it; by default all others."
    )
    delimiter: str = field(",", help='With path: the character between values; "\\t" for a tab.')
    scaling: Literal["none", "standard", "robust"] = field(
        "none",
        help="With path: columns as they are, less their mean over their standard deviation, or less their median over "
        "their interquartile range. A linear regression scales its label as well.",
    )

    def __attrs_post_init__(self) -> None:
        if self.path is None and (self.label is not None or self.columns is not None):
            raise ValueError("expected path, the file that label and columns are in; got none")
        if self.path is not None and self.dim is not None:
            raise ValueError("expected dim, for synthetic data, or path; got both")
        if self.path is not None and self.label is None:
            raise ValueError("expected label, the name of the column that is explained; got none")


@attrs.frozen(kw_only=True)
class ConjugateLinearRegression(_Regression):
    """A linear regression whose posterior and marginal likelihood are known."""


@attrs.frozen(kw_only=True)
class HorseshoeLogisticRegression(_Regression):
    """A logistic regression with the horseshoe prior: few coefficients matter, and which is not known."""

    intercept_scale: float = field(10.0, help="Scale of the Cauchy prior of the intercept (Andrade 2024).", gt=0)


@attrs.frozen(kw_only=True)
class BayesianLasso(_Regression):
    """A linear regression with the Laplace prior, as a mixture of normals."""

    penalty: float = field(
        100.0, help="Lambda: large values shrink more (Andrade 2024 takes 100, for 1,000 covariates).", gt=0
    )
    intercept_scale: float = field(10.0, help="Scale of the Cauchy prior of the intercept (Andrade 2024).", gt=0)
