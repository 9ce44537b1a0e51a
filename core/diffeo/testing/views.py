"""Components that are no bijectors, seen as maps, so that one set of laws serves them all."""

import attrs
from torch import Tensor

from diffeo.bijector import Bijector
from diffeo.capabilities import Capabilities
from diffeo.distribution import Distribution
from diffeo.network import Encoder, Network
from diffeo.step_lists import zeros

__all__ = ["OneWay", "distribution_as_map", "encoder_as_map", "network_as_map"]

Shape = tuple[int, ...]


class OneWay(Bijector):
    """Base of views: a map without an inverse, and with a log-term of 0 where it has none."""

    def __init__(
        self, shape: Shape, out_shape: Shape, context_shape: Shape | None, *, capabilities: Capabilities
    ) -> None:
        super().__init__(shape, out_shape, context_shape)
        self.capabilities = attrs.evolve(capabilities, inverse="none")

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("a view has one direction")


class _NetworkMap(OneWay):
    def __init__(self, network: Network) -> None:
        shapes = network.in_shape, network.out_shape, network.context_shape
        super().__init__(*shapes, capabilities=network.capabilities)
        self.network = network

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.network(x, context=context), zeros(x, len(self.in_shape))


class _EncoderMap(OneWay):
    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.in_shape, encoder.out_shape, None, capabilities=encoder.capabilities)
        self.encoder = encoder

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.encoder(x), zeros(x, len(self.in_shape))


class _DistributionMap(OneWay):
    """x to log p(x), which is the one output and the log-term as well."""

    def __init__(self, distribution: Distribution) -> None:
        shapes = distribution.event_shape, (1,), distribution.context_shape
        super().__init__(*shapes, capabilities=distribution.capabilities)
        self.distribution = distribution

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_prob = self.distribution.log_prob(x, context=context)
        return log_prob.unsqueeze(-1), log_prob


def network_as_map(network: Network) -> Bijector:
    """A conditioner network."""
    return _NetworkMap(network)


def encoder_as_map(encoder: Encoder) -> Bijector:
    """An encoder; its context is what goes in."""
    return _EncoderMap(encoder)


def distribution_as_map(distribution: Distribution) -> Bijector:
    """A density."""
    return _DistributionMap(distribution)
