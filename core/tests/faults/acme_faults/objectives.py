import torch
from torch import nn

from diffeo import Loss, Objective


class Likelihood(Objective):
    """loss = -mean log p(x)."""

    def __init__(self, config, model, data):
        super().__init__(model, data)

    def forward(self, model, batch, progress):
        log_prob = model.elbo(batch["x"]).mean()
        return Loss(-log_prob, {"log_prob": log_prob.detach()})


class Sums(Likelihood):
    """loss = -sum log p(x)."""

    def forward(self, model, batch, progress):
        loss = super().forward(model, batch, progress)
        return loss._replace(value=loss.value * len(batch["x"]))


class Forgets(Likelihood):
    """Has a parameter that takes part in every other step."""

    def __init__(self, config, model, data):
        super().__init__(config, model, data)
        self.temper = nn.Parameter(torch.zeros(()))

    def forward(self, model, batch, progress):
        loss = super().forward(model, batch, progress)
        return loss if progress.step % 2 else loss._replace(value=loss.value + 0 * self.temper)
