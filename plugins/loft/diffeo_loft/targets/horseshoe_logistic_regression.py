"""Logistic regression with the horseshoe prior (Carvalho, Polson & Scott 2010, doi:10.1093/biomet/asq017).

B any batch shape, N examples, d covariates.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from diffeo_loft.config_targets import HorseshoeLogisticRegression
from diffeo_loft.targets.layout_target import LayoutTarget
from diffeo_loft.targets.log_densities import cauchy, half_cauchy, normal
from diffeo_loft.targets.regression_data import logistic_examples
from diffeo_loft.targets.softplus_transform import positive

__all__ = ["HorseshoeLogisticRegressionTarget"]


class HorseshoeLogisticRegressionTarget(LayoutTarget):
    """``y_i ~ Bernoulli(sigmoid(x_i'beta + intercept))`` with ``beta_j = tau lambda_j raw_j``, not centred.

        lambda_j ~ HalfCauchy(1)    tau ~ HalfCauchy(1)    raw_j ~ N(0, 1)    intercept ~ Cauchy(0, 10)

    theta holds (lambda, tau, raw, intercept), lambda and tau through softplus; ``by_name`` gives the coefficients ``beta`` as
    well. The marginal likelihood is not known. Shapes: theta (*B, 2 d + 2), ``log_prob`` (*B).

    Source: Carvalho, Polson and Scott 2010, doi:10.1093/biomet/asq017; Andrade 2024, arXiv:2402.16408.

    >>> import diffeo
    >>> target = diffeo.build("target", "horseshoe_logistic_regression")
    >>> target
    HorseshoeLogisticRegressionTarget(lambda (10,), tau (), raw (10,), intercept ())
    """

    x: Tensor
    signs: Tensor

    def __init__(self, config: HorseshoeLogisticRegression) -> None:
        x, y, names = logistic_examples(config)
        dim = x.shape[1]
        super().__init__({"lambda": positive(dim), "tau": positive(), "raw": dim, "intercept": ()})
        self.intercept_scale = config.intercept_scale
        self.entries = dict.fromkeys(("beta", "lambda", "raw"), names) if names else {}
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("signs", 2 * y - 1, persistent=False)

    def log_joint(self, values: Mapping[str, Tensor]) -> Tensor:
        raw, intercept = values["raw"], values["intercept"]
        prior = half_cauchy(values["lambda"]).sum(-1) + half_cauchy(values["tau"])
        prior = prior + normal(raw, torch.zeros_like(raw)).sum(-1) + cauchy(intercept, self.intercept_scale)
        logits = _coefficients(values) @ self.x.to(raw).mT + intercept.unsqueeze(-1)
        return prior + F.logsigmoid(self.signs.to(raw) * logits).sum(-1)

    def by_name(self, theta: Float[Tensor, "*B D"]) -> dict[str, Tensor]:
        values = super().by_name(theta)
        return {"beta": _coefficients(values), **values}


def _coefficients(values: Mapping[str, Tensor]) -> Tensor:
    return values["tau"].unsqueeze(-1) * values["lambda"] * values["raw"]
