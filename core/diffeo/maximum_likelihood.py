"""Maximum likelihood: minus log p(x), or minus its lower bound where the flow draws noise."""

import math
from typing import Any

from torch import Tensor

from diffeo.config import MaximumLikelihood
from diffeo.dataset import Target
from diffeo.objective import Loss, Objective, Progress

__all__ = ["MaximumLikelihoodObjective", "bits_per_dim"]


def bits_per_dim(nats: Tensor, num_dims: int) -> Tensor:
    """-log p / (D ln 2), with D the dimensions of the data as delivered, never those of a wider latent."""
    return -nats / (num_dims * math.log(2))


class MaximumLikelihoodObjective(Objective):
    """loss = -mean elbo(x | context), in nats per example or bits per dimension.

    ``elbo`` is the exact log-density where the flow is exact. The dequantization's log-weight is part of it, so bits/dim are
    those of the integers. Metrics: ``log_prob`` (nats) and ``bits_per_dim``.
    """

    def __init__(self, config: MaximumLikelihood, model: Any, data: Any) -> None:
        super().__init__(model, data)
        if isinstance(data, Target):
            raise ValueError("expected data with examples x; got a target (an objective such as reverse_kl fits one)")
        self.units = config.units
        self.num_dims = math.prod(model.event_shape)

    def forward(self, model: Any, batch: dict[str, Tensor], progress: Progress) -> Loss:
        log_prob = model.elbo(batch["x"], context=batch.get("context")).mean()
        bits = bits_per_dim(log_prob, self.num_dims)
        value = bits if self.units == "bits_per_dim" else -log_prob
        return Loss(value, {"log_prob": log_prob.detach(), "bits_per_dim": bits.detach()})
