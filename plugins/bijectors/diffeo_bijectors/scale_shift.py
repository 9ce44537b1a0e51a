"""An affine map of the whole event, fixed (units of the data) or trained.

Dimensions: B any batch shape, C the first event dimension.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_preprocessing import ScaleShift
from diffeo_bijectors.events import Shape, constant_log_det, per_channel, positions, require_dimension

__all__ = ["ScaleShiftBijector"]


def expand(value: float | tuple[float, ...], shape: Shape, name: str) -> Tensor:
    """One number, or one per entry of the first event dimension, as ``(C, 1, ...)``."""
    values = torch.tensor(value, dtype=torch.get_default_dtype())
    if values.dim() and len(values) != shape[0]:
        raise ValueError(f"expected one {name} or {shape[0]}, for shape {tuple(shape)}; got {len(values)}")
    return values.expand(shape[0]).reshape(per_channel(shape)).clone()


class ScaleShiftBijector(Bijector):
    """An affine map with one scale and shift per entry of the first event dimension.

        forward   y = scale * x + shift            log_det = +positions * sum(log|scale|)
        inverse   x = (y - shift) / scale          log_det = -positions * sum(log|scale|)

    positions is the number of entries that share a scale: H W for an image, 1 for a vector. Trainable (the default),
    the parameters are ``log_scale`` and ``shift``, so scale stays positive. With ``trainable: false`` scale may be
    negative; both are constants that follow from the config and are not saved.

    Shapes: x, y ``(*B, C, ...)``. Numerics: exact where scale is a power of two, as in ``{scale: 0.00390625, shift:
    -0.5, trainable: false}`` for 8-bit images. Takes a context and ignores it: a scale that depends on one is a
    ``coupling`` or a conditional base.

    >>> import torch
    >>> from diffeo_bijectors.config_preprocessing import ScaleShift
    >>> layer = ScaleShiftBijector(ScaleShift(scale=0.00390625, shift=-0.5, trainable=False), (2,))
    >>> layer(torch.tensor([0.0, 64.0]))[0]
    tensor([-0.5000, -0.2500])
    """

    shift: Tensor

    capabilities = Capabilities(twice_differentiable=True)

    def __init__(self, config: ScaleShift, shape: Shape, context_shape: Shape | None = None) -> None:
        require_dimension(shape)
        super().__init__(shape, None, context_shape)
        scale = expand(config.scale, self.in_shape, "scale")
        shift = expand(config.shift, self.in_shape, "shift")
        values = config.scale if isinstance(config.scale, tuple) else (config.scale,)
        self.trainable = config.trainable
        if config.trainable and min(values) <= 0:
            raise ValueError(f"expected a positive scale where trainable is true; got {min(values):g}")
        if 0 in values:
            raise ValueError("expected a scale other than 0; got 0")
        if config.trainable:
            self.log_scale = nn.Parameter(scale.log())
            self.shift = nn.Parameter(shift)
        else:
            self.register_buffer("fixed_scale", scale, persistent=False)
            self.register_buffer("shift", shift, persistent=False)

    def scale(self) -> tuple[Tensor, Tensor]:
        """Scale per channel, and the log-determinant of the whole event."""
        count = positions(self.in_shape)
        if self.trainable:
            return self.log_scale.exp(), count * self.log_scale.sum()
        fixed = self.get_buffer("fixed_scale")
        return fixed, count * fixed.abs().log().sum()

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        scale, log_det = self.scale()
        return scale * x + self.shift, constant_log_det(log_det, x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        scale, log_det = self.scale()
        return (y - self.shift) / scale, constant_log_det(-log_det, y, self.in_shape)

    def extra_repr(self) -> str:
        return f"{self.in_shape}, trainable={self.trainable}"
