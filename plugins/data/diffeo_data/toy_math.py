"""The usual densities on the plane: maps from uniform numbers to points, and exact log-densities where there is one.

The forms and constants are those of the toy data of FFJORD (Grathwohl et al. 2019, arXiv:1810.01367), so that figures
compare; the pinwheel goes back to Johnson et al. 2016, arXiv:1603.06277. Each map takes ``u``, (N, K) uniforms in (0,
1) in float64, and returns (N, 2) points. ``noise`` is always a standard deviation in units of the data.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "checkerboard",
    "checkerboard_log_prob",
    "eight_gaussians",
    "eight_gaussians_log_prob",
    "pinwheel",
    "rings",
    "rings_log_prob",
    "two_moons",
    "two_spirals",
]

GAUSSIAN_RADIUS = 4 / math.sqrt(2)
RING_RADII = (0.75, 1.5, 2.25, 3.0)
PINWHEEL_ARMS, PINWHEEL_RATE, PINWHEEL_RADIAL_STD = 5, 0.25, 0.3
SPIRAL_ANGLE, SPIRAL_JITTER, SPIRAL_SCALE = 3 * math.pi, 0.5, 1 / 3  # one and a half turns


def _normals(u: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
    """Two standard normals from two uniforms: sqrt(-2 log u1) (cos 2 pi u2, sin 2 pi u2) (Box & Muller 1958)."""
    radius, angle = torch.sqrt(-2 * torch.log(u[:, 0])), 2 * math.pi * u[:, 1]
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)


def _on_circle(angle: Float[Tensor, " N"]) -> Float[Tensor, "N 2"]:
    return torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)


def checkerboard(u: Float[Tensor, "N 3"]) -> Float[Tensor, "N 2"]:
    """Uniform on 8 of the 16 squares of side 2 in [-4, 4]^2.

    x = 2 (a, b - 2 s + (floor(a) mod 2)) with a ~ U(-2, 2), b ~ U(0, 1) and s ~ Bernoulli(1/2).
    """
    a = 4 * u[:, 0] - 2
    b = u[:, 1] - 2 * (u[:, 2] < 0.5) + torch.floor(a) % 2
    return 2 * torch.stack([a, b], dim=1)


def checkerboard_log_prob(x: Float[Tensor, "*B 2"]) -> Float[Tensor, "*B"]:
    """-log 32 on the closed squares, minus infinity elsewhere.

    A square is (floor(x1 / 2), floor(x2 / 2)) with both indices in -2..1 and an even sum. Closed, so that a point
    which float32 rounds onto an edge keeps the density of the square it was drawn in.
    """
    lower = torch.floor(x / 2)
    upper = torch.ceil(x / 2) - 1  # differs from `lower` on an edge only: the square on the other side
    inside = torch.zeros_like(x[..., 0], dtype=torch.bool)
    for first in (lower[..., 0], upper[..., 0]):
        for second in (lower[..., 1], upper[..., 1]):
            in_range = (first >= -2) & (first <= 1) & (second >= -2) & (second <= 1)
            inside = inside | (in_range & ((first + second) % 2 == 0))
    return torch.full_like(x[..., 0], -math.log(32)).masked_fill(~inside, -math.inf)


def two_moons(u: Float[Tensor, "N 4"], noise: float) -> Float[Tensor, "N 2"]:
    """Half circles 2 (cos t, sin t) and 2 (1 - cos t, 1/2 - sin t) with t ~ U(0, pi), less (1, 0.2), plus noise."""
    angle, upper = math.pi * u[:, 0], u[:, 1] < 0.5
    moon = _on_circle(angle)
    moon = torch.where(upper[:, None], moon, torch.tensor([1.0, 0.5], dtype=u.dtype) - moon)
    return 2 * moon - torch.tensor([1.0, 0.2], dtype=u.dtype) + noise * _normals(u[:, 2:4])


def _gaussian_centres(dtype: torch.dtype) -> Float[Tensor, "8 2"]:
    return GAUSSIAN_RADIUS * _on_circle(torch.arange(8, dtype=dtype) * (math.pi / 4))


def eight_gaussians(u: Float[Tensor, "N 3"], noise: float) -> Float[Tensor, "N 2"]:
    """Eight equally likely round Gaussians, centred on a circle of radius 4 / sqrt 2."""
    which = (8 * u[:, 0]).long()
    return _gaussian_centres(u.dtype)[which] + noise * _normals(u[:, 1:3])


def eight_gaussians_log_prob(x: Float[Tensor, "*B 2"], noise: float) -> Float[Tensor, "*B"]:
    """log of the mean over k of N(x; c_k, noise^2 I)."""
    squares = ((x[..., None, :] - _gaussian_centres(x.dtype).to(x.device)) ** 2).sum(-1)
    return torch.logsumexp(-squares / (2 * noise**2), dim=-1) - math.log(8 * 2 * math.pi * noise**2)


def rings(u: Float[Tensor, "N 4"], noise: float) -> Float[Tensor, "N 2"]:
    """Four equally likely circles of radius 0.75, 1.5, 2.25 and 3, plus noise."""
    radius = torch.tensor(RING_RADII, dtype=u.dtype)[(4 * u[:, 0]).long()]
    return radius[:, None] * _on_circle(2 * math.pi * u[:, 1]) + noise * _normals(u[:, 2:4])


def rings_log_prob(x: Float[Tensor, "*B 2"], noise: float) -> Float[Tensor, "*B"]:
    """log of the mean over R of exp(-(r^2 + R^2) / (2 s^2)) I0(r R / s^2) / (2 pi s^2); r = |x|, s is the noise.

    A circle blurred by a round Gaussian: the integral over the angle is a Bessel function (Rice 1945). Written with
    the scaled i0e(z) = exp(-z) I0(z), which cannot overflow: log p = -(r - R)^2 / (2 s^2) + log i0e(r R / s^2) -
    log(2 pi s^2).
    """
    r = torch.linalg.vector_norm(x, dim=-1)[..., None]
    radii = torch.tensor(RING_RADII, dtype=x.dtype, device=x.device)
    terms = -((r - radii) ** 2) / (2 * noise**2) + torch.log(torch.special.i0e(r * radii / noise**2))
    return torch.logsumexp(terms, dim=-1) - math.log(4 * 2 * math.pi * noise**2)


def pinwheel(u: Float[Tensor, "N 3"], noise: float) -> Float[Tensor, "N 2"]:
    """Five curved arms: (1 + 0.3 n1, noise n2 / 2) turned by 2 pi k / 5 + exp(1 + 0.3 n1) / 4, times 2."""
    n = _normals(u[:, 1:3])
    along, across = 1 + PINWHEEL_RADIAL_STD * n[:, 0], (noise / 2) * n[:, 1]
    arm = torch.floor(PINWHEEL_ARMS * u[:, 0])
    angle = 2 * math.pi * arm / PINWHEEL_ARMS + PINWHEEL_RATE * torch.exp(along)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return 2 * torch.stack([along * cos - across * sin, along * sin + across * cos], dim=1)


def two_spirals(u: Float[Tensor, "N 6"], noise: float) -> Float[Tensor, "N 2"]:
    """Two spirals, +-((-t cos t, t sin t) + v) / 3 with t = 3 pi sqrt(u) and v ~ U(0, 1/2)^2, plus noise."""
    t = SPIRAL_ANGLE * torch.sqrt(u[:, 0])
    arm = t[:, None] * torch.stack([-torch.cos(t), torch.sin(t)], dim=1) + SPIRAL_JITTER * u[:, 1:3]
    side = torch.where(u[:, 3] < 0.5, 1.0, -1.0).to(u.dtype)
    return SPIRAL_SCALE * side[:, None] * arm + noise * _normals(u[:, 4:6])
