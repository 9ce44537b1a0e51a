"""Trading resolution for channels (Dinh et al. 2017, arXiv:1605.08803, section 3.6).

Dimensions: B any batch shape, C channels, H and W the sides of the image, f the side of a cell.
"""

from jaxtyping import Float
from torch import Tensor

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_preprocessing import Squeeze
from diffeo_bijectors.events import Shape, batch_shape, require_image, zero_log_det

__all__ = ["SqueezeBijector"]

CHANNEL, OFFSET = (-4, -3), (-5, -4)
"""Where (dy, dx) end up among (C, dy, dx, H/f, W/f), or (dy, dx, C, H/f, W/f): reshape and movedim instead of
``pixel_unshuffle``, which returns an empty batch unchanged."""


class SqueezeBijector(Bijector):
    """Turns cells of f x f pixels into channels.

        forward   y[c f^2 + dy f + dx, i, j] = x[c, f i + dy, f j + dx]      inverse: back      log_det = 0

    With ``order: offset`` the new channel is (dy f + dx) C + c instead.

    Shapes: x ``(*B, C, H, W)``, y ``(*B, C f^2, H / f, W / f)``; f divides H and W. Exact to the bit. Takes a context
    and ignores it.

    Source: Dinh et al. 2017, arXiv:1605.08803, section 3.6.

    >>> import torch
    >>> from diffeo_bijectors.config_preprocessing import Squeeze
    >>> y, _ = SqueezeBijector(Squeeze(), (1, 2, 2))(torch.tensor([[[0.0, 1.0], [2.0, 3.0]]]))
    >>> y.flatten()
    tensor([0., 1., 2., 3.])
    """

    capabilities = Capabilities(preserves_volume=True, twice_differentiable=True)

    def __init__(self, config: Squeeze, shape: Shape, context_shape: Shape | None = None) -> None:
        require_image(shape)
        channels, height, width = shape
        f = config.factor
        if height % f or width % f:
            raise ValueError(f"expected sides divisible by {f}; got shape {tuple(shape)}")
        super().__init__(shape, (channels * f * f, height // f, width // f), context_shape)
        self.factor = f
        self.order = config.order
        self.offsets = CHANNEL if config.order == "channel" else OFFSET

    def forward(
        self, x: Float[Tensor, "*B C H W"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B C2 H2 W2"], Float[Tensor, "*B"]]:
        batch, (channels, height, width), f = batch_shape(x, self.in_shape), self.in_shape, self.factor
        cells = x.reshape(*batch, channels, height // f, f, width // f, f)
        return cells.movedim((-3, -1), self.offsets).reshape(*batch, *self.out_shape), zero_log_det(x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B C2 H2 W2"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B C H W"], Float[Tensor, "*B"]]:
        batch, (channels, height, width), f = batch_shape(y, self.out_shape), self.in_shape, self.factor
        split = (channels, f, f) if self.order == "channel" else (f, f, channels)
        cells = y.reshape(*batch, *split, height // f, width // f)
        return cells.movedim(self.offsets, (-3, -1)).reshape(*batch, *self.in_shape), zero_log_det(y, self.out_shape)

    def extra_repr(self) -> str:
        return f"{self.in_shape} -> {self.out_shape}"
