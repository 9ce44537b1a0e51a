"""Configs of what usually stands at the front of a flow: shape, unit and range of the data, dequantization."""

import attrs

from diffeo_registry import field

__all__ = ["Logit", "Reshape", "ScaleShift", "Softplus", "Squeeze", "Uniform"]


@attrs.frozen(kw_only=True)
class Squeeze:
    """Trades resolution for channels: ``(C, H, W)`` to ``(C f^2, H / f, W / f)``."""

    factor: int = field(2, ge=1, help="Side f of the square cells of pixels that become channels.")
    order: str = field(
        "channel",
        choices=("channel", "offset"),
        help="Order of the new channels for offset (dy, dx) in the cell: channel c f^2 + dy f + dx, as in PyTorch's "
        "pixel_unshuffle; or offset (dy f + dx) C + c, as in TensorFlow's space_to_depth.",
    )


@attrs.frozen(kw_only=True)
class Reshape:
    """Gives the event another shape; by default flattens it."""

    shape: tuple[int, ...] = field(
        (-1,), ge=-1, help="The new event shape, row-major; one entry may be -1 and is computed from the others."
    )


@attrs.frozen(kw_only=True)
class ScaleShift:
    """``y = scale * x + shift``."""

    scale: float | tuple[float, ...] = field(
        1.0, help="One number, or one per entry of the first event dimension. Negative only where trainable is false."
    )
    shift: float | tuple[float, ...] = field(0.0, help="One number, or one per entry of the first event dimension.")
    trainable: bool = field(
        True, help="Whether scale and shift are parameters, one pair per entry of the first dimension."
    )


@attrs.frozen(kw_only=True)
class Logit:
    """Maps (0, 1) to the real line: the logit of ``alpha + (1 - 2 alpha) x``."""

    alpha: float = field(
        1e-6,
        ge=0,
        lt=0.5,
        help="x is first squeezed into [alpha, 1 - alpha], so that 0 and 1 stay finite; 0.05 is usual for images.",
    )


@attrs.frozen(kw_only=True)
class Softplus:
    """Maps positive data to the real line by the inverse of softplus; samples, made by softplus, are positive."""

    entries: tuple[int, ...] | None = field(
        None,
        ge=0,
        help="Which entries of the first event dimension are positive; the others pass unchanged. None: all of them.",
    )


@attrs.frozen(kw_only=True)
class Uniform:
    """Dequantization by uniform noise: ``y = x + u`` with u in [0, 1)."""
