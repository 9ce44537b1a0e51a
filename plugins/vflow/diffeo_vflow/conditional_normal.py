"""Normals with a location and a scale for every context (Chen et al. 2020, arXiv:2002.09741, for a single extra dimension).

B any batch shape, k entries along the first dimension.
"""

import math

import torch
from torch import Tensor

import diffeo
from diffeo_vflow.config_augment import ConditionalNormal

__all__ = ["ConditionalNormalDistribution"]

Shape = tuple[int, ...]
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class ConditionalNormalDistribution(diffeo.Distribution):
    """x = loc + exp(s) * noise with (raw, loc) = network(context) and s = c(raw), c the scale function in the slot ``scale``.

        log p(x | context) = log N((x - loc) exp(-s); 0, I) - sum(s)

    Shapes: x ``(*B, k, ...)``, context ``(*B, *context_shape)``; the network maps the context to ``(2 k, ...)``, raw first.
    Temperature scales the noise about loc. Numerics: those of the scale function, whose default keeps s in (-2, 2).

    Source: Chen, Lu, Chenli, Zhu and Tian 2020, arXiv:2002.09741, the toy model with a single extra dimension.

    >>> import torch, diffeo
    >>> normal = diffeo.build("distribution", "conditional_normal", shape=(1,), context_shape=(3,))
    >>> normal.log_prob(torch.zeros(4, 1), context=torch.ones(4, 3)).detach()
    tensor([-0.9189, -0.9189, -0.9189, -0.9189])
    """

    def __init__(self, config: ConditionalNormal, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        if self.context_shape is None or not self.event_shape:
            got = "none" if self.context_shape is None else f"events of shape {self.event_shape}"
            raise ValueError(f"expected a context, and events with at least one dimension; got {got}")
        out_shape = (2 * self.event_shape[0], *self.event_shape[1:])
        self.network: diffeo.Network = diffeo.make(config.network, self.context_shape, out_shape, None, at="network")
        self.scale = diffeo.make(config.scale, at="scale")
        able = self.network.capabilities
        self.capabilities = diffeo.Capabilities(
            context="all", batch_statistics=able.batch_statistics, twice_differentiable=able.twice_differentiable
        )

    def log_prob(self, x: Tensor, *, context: Tensor | None = None) -> Tensor:
        loc, log_scale = self._loc_and_log_scale(context)
        return self._log_density((x - loc) * (-log_scale).exp(), log_scale)

    @torch.no_grad()
    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        loc, log_scale = self._loc_and_log_scale(context)
        return loc + temperature * log_scale.exp() * self._noise(sample_shape, context)

    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        loc, log_scale = self._loc_and_log_scale(context)
        noise = self._noise(sample_shape, context)
        return loc + log_scale.exp() * noise, self._log_density(noise, log_scale)

    def _loc_and_log_scale(self, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if context is None:
            raise ValueError(
                f"expected a context of shape (*B, {', '.join(map(str, self.context_shape or ()))}); got none"
            )
        raw, loc = self.network(context).chunk(2, dim=-len(self.event_shape))
        return loc, self.scale(raw)

    def _noise(self, sample_shape: Shape, context: Tensor | None) -> Tensor:
        return diffeo.normal_noise(self.draw_shape(sample_shape, context), self.like)

    def _log_density(self, noise: Tensor, log_scale: Tensor) -> Tensor:
        return (-0.5 * noise.square() - HALF_LOG_2PI - log_scale).sum(tuple(range(-len(self.event_shape), 0)))
