"""Activation normalisation (Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.1): shift and scale set from data.

Dimensions: B any batch shape, C channels (the first event dimension).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Bijector, Capabilities, DataInitialized
from diffeo_bijectors.config_linear import ActNorm
from diffeo_bijectors.events import Shape, constant_log_det, per_channel, require_dimension

__all__ = ["ActNormBijector"]


def moments(x: Tensor, shape: Shape, keep: Shape, epsilon: float, *, unbiased: bool = True) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of shape ``keep``, over the batch and every event dimension that is 1 in ``keep``.

    A standard deviation of at most ``epsilon * max(1, |mean|)`` is taken for that of a constant and replaced by 1.
    """
    rows = x.reshape(-1, *shape)
    over = [0, *(dim + 1 for dim, size in enumerate(keep) if size == 1)]
    several = rows.numel() > torch.Size(keep).numel()
    variance, mean = torch.var_mean(rows, over, correction=1 if several and unbiased else 0)
    mean, deviation = mean.reshape(keep), variance.sqrt().reshape(keep)
    constant = deviation <= epsilon * mean.abs().clamp(min=1.0)
    return mean, torch.where(constant, torch.ones_like(deviation), deviation)


class ActNormBijector(Bijector, DataInitialized):
    """A learned shift and scale per channel.

        forward   y = (x - shift) * exp(-log_scale)      log_det = -positions * sum(log_scale)
        inverse   x = y * exp(log_scale) + shift         log_det = +positions * sum(log_scale)

    Shapes: x, y ``(*B, C, ...)``; shift, log_scale ``(C, 1, ...)``, or the event shape with ``per_element``, where
    positions, the number of entries that share a value, is 1.

    Data-dependent initialisation: when armed, the first call sets shift and log_scale so that what that call returns
    has mean 0 and standard deviation 1 (over batch and positions; unbiased unless ``variance`` is biased), whether it was
    ``forward`` or ``inverse``. An empty batch is passed over. Nothing but the two parameters is state, so a loaded layer
    is never initialised again.

    Numerics: a channel that is constant in the first batch (see ``epsilon``) is shifted but not scaled; its rounding
    noise would otherwise be blown up to 1.

    Takes a context and ignores it.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.1.

    >>> import torch, diffeo
    >>> from diffeo_bijectors.config_linear import ActNorm
    >>> layer = ActNormBijector(ActNorm(), (3, 8, 8))
    >>> layer.initializing = True               # the trainer does this before step 0
    >>> y, log_det = layer(5 + 2 * torch.randn(16, 3, 8, 8))
    >>> bool(y.mean().abs() < 1e-4), log_det.shape
    (True, torch.Size([16]))
    """

    capabilities = Capabilities(twice_differentiable=True)

    def __init__(self, config: ActNorm, shape: Shape, context_shape: Shape | None = None) -> None:
        require_dimension(shape)
        super().__init__(shape, None, context_shape)
        self.epsilon = config.epsilon
        self.per_element = config.per_element
        self.unbiased = config.variance == "unbiased"
        self.parameter_shape = self.in_shape if config.per_element else per_channel(self.in_shape)
        self.positions = torch.Size(self.in_shape).numel() // torch.Size(self.parameter_shape).numel()
        self.shift = nn.Parameter(torch.zeros(self.parameter_shape))
        self.log_scale = nn.Parameter(torch.zeros(self.parameter_shape))

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        if self.initializing and x.numel() > 0:
            mean, deviation = self._moments(x.detach())
            self._set(mean, deviation.log())
        log_det = constant_log_det(-self.positions * self.log_scale.sum(), x, self.in_shape)
        return (x - self.shift) * torch.exp(-self.log_scale), log_det

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        if self.initializing and y.numel() > 0:
            mean, deviation = self._moments(y.detach())
            self._set(-mean / deviation, -deviation.log())
        log_det = constant_log_det(self.positions * self.log_scale.sum(), y, self.in_shape)
        return y * torch.exp(self.log_scale) + self.shift, log_det

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return moments(x, self.in_shape, self.parameter_shape, self.epsilon, unbiased=self.unbiased)

    @torch.no_grad()
    def _set(self, shift: Tensor, log_scale: Tensor) -> None:
        self.shift.copy_(shift)
        self.log_scale.copy_(log_scale)
        self.initializing = False

    def extra_repr(self) -> str:
        return f"{self.in_shape}" + (", per_element=True" if self.per_element else "")
