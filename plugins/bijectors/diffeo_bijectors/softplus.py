"""From the positive half-line to the real line.

Dimensions: B any batch shape.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_preprocessing import Softplus
from diffeo_bijectors.events import Shape, per_channel, require_dimension, sum_event

__all__ = ["SoftplusBijector"]


def inverse_softplus(x: Tensor) -> tuple[Tensor, Tensor]:
    """log(exp(x) - 1) = x + log(1 - exp(-x)) for x > 0, and the elementwise log-derivative -log(1 - exp(-x))."""
    positive = x.clamp(min=torch.finfo(x.dtype).tiny)
    log_derivative = -torch.log(-torch.expm1(-positive))
    return positive - log_derivative, log_derivative


def softplus(y: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + exp(y)) and the elementwise log-derivative; torch's softplus is the identity from 20 on, this is not."""
    return -F.logsigmoid(-y), F.logsigmoid(y)


def which(entries: tuple[int, ...] | None, shape: Shape) -> Tensor:
    """True at some entries of the first event dimension, ``(C, 1, ...)``; a scalar True for all of them."""
    if entries is None:
        return torch.tensor(True)
    require_dimension(shape)
    beyond = [entry for entry in entries if entry >= shape[0]]
    if beyond:
        raise ValueError(f"expected entries below {shape[0]}, for shape {shape}; got {beyond[0]}")
    return torch.isin(torch.arange(shape[0]), torch.tensor(entries, dtype=torch.int64)).reshape(per_channel(shape))


class SoftplusBijector(Bijector):
    """For positive data: the latent side is the real line, and samples pass through softplus.

        forward   y = log(exp(x) - 1)      log_det = -sum(log(1 - exp(-x)))
        inverse   x = log(1 + exp(y))      log_det = sum(log(sigmoid(y)))

    So a flow of positive data has ``softplus`` as its first step. Where some of the entries only are positive, ``entries``
    names them, and the others pass unchanged.

    Domain: x > 0 (in ``entries``). Shapes: x, y ``(*B, *event)``, elementwise. Numerics: in log space throughout; x is
    clamped below at the smallest normal number of the dtype, so that 0 and below stay finite (y > -88 in float32) with
    gradient 0. Takes a context and ignores it.

    >>> import torch
    >>> from diffeo_bijectors.config_preprocessing import Softplus
    >>> SoftplusBijector(Softplus(), (1,)).inverse(torch.tensor([0.0]))
    (tensor([0.6931]), tensor(-0.6931))
    """

    changed: Tensor
    """Which entries are positive, broadcastable to the event."""

    capabilities = Capabilities(domain="positive", twice_differentiable=True)

    def __init__(self, config: Softplus, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, None, context_shape)
        self.entries = config.entries
        self.register_buffer("changed", which(config.entries, self.in_shape), persistent=False)

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        y, log_derivative = inverse_softplus(torch.where(self.changed, x, 1.0))
        return self._select(y, x), sum_event(self._select(log_derivative, 0.0), self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        x, log_derivative = softplus(y)
        return self._select(x, y), sum_event(self._select(log_derivative, 0.0), self.in_shape)

    def _select(self, moved: Tensor, unmoved: Tensor | float) -> Tensor:
        return torch.where(self.changed, moved, unmoved)

    def extra_repr(self) -> str:
        return "" if self.entries is None else f"entries={self.entries}"
