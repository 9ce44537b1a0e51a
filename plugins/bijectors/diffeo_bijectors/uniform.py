"""Uniform dequantization (Theis et al. 2016, arXiv:1511.01844, section 3.1).

Dimensions: B any batch shape.
"""

import torch
from torch import Tensor

from diffeo import Augmenter, Capabilities, uniform_noise
from diffeo_bijectors.config_preprocessing import Uniform
from diffeo_bijectors.events import Shape, zero_log_det

__all__ = ["UniformDequantization"]


def add_fraction(x: Tensor, u: Tensor) -> Tensor:
    """``x + u`` for integers x and u in [0, 1), kept below x + 1, to which float32 rounds it now and then."""
    below = torch.nextafter(x.detach() + 1, x.detach())
    return torch.minimum(x + u, below)


class UniformDequantization(Augmenter):
    """Adds uniform noise to integers, so that a density over reals bounds their probability.

        augment   y = x + u, u ~ U[0, 1)      log_weight = 0
        strip     x = floor(y)

    E[p(x + u)] over u is the integral of p over [x, x + 1), the probability that p gives to x. y keeps the unit of the
    data.

    Shapes: x, y ``(*B, *event)``; x holds integers, in an integer dtype (then y has torch's default dtype) or a
    floating one (then y has the same). Numerics: y never rounds up to x + 1, so ``strip`` gives back every integer up
    to 2^23 in float32. Takes a context and ignores it.

    Source: Theis et al. 2016, arXiv:1511.01844, section 3.1; Uria et al. 2013, arXiv:1306.0186.

    >>> import torch
    >>> from diffeo_bijectors.config_preprocessing import Uniform
    >>> layer = UniformDequantization(Uniform(), (2,))
    >>> y, log_weight = layer.augment(torch.tensor([3, 255]))
    >>> layer.strip(y), log_weight
    (tensor([  3., 255.]), tensor(0.))
    """

    capabilities = Capabilities(domain="integers")

    def __init__(self, config: Uniform, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, None, context_shape)

    def augment(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        whole = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        return add_fraction(whole, uniform_noise(whole.shape, whole)), zero_log_det(whole, self.in_shape)

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        return y.floor()
