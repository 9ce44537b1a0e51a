"""Convolutions whose scale and bias the first batch sets (Salimans & Kingma 2016, arXiv:1602.07868, section 3).

N folded batch, C, O channels in and out, H, W height and width, k side of the kernel.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

import diffeo

__all__ = ["InitializedConv"]

START = 0.05
"""Standard deviation of the weights before data set their scale: Flow++'s, of no consequence afterwards."""
EPSILON = 1e-8
"""Added to the variance of what comes out, as Flow++ does, so that a dead channel is not divided by 0."""


class InitializedConv(diffeo.DataInitialized):
    """A convolution that keeps height and width; after its first batch every channel has mean 0 and deviation ``init_scale``.

        y = W * x + b,      with weight norm W = gain v / |v| per output channel

    Weights start from N(0, 0.05^2), biases at 0. When armed, the first call multiplies the weights (or sets the gain) and sets
    the bias, from mean and biased variance over batch and positions. With ``init_scale`` 0 it returns 0 until trained.

    Shapes: ``(N, C, H, W)`` to ``(N, O, H, W)``; k is odd.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, init_scale: float = 1.0, weight_norm: bool = False
    ) -> None:
        super().__init__()
        self.init_scale = init_scale
        self.padding = kernel // 2
        self.weight = nn.Parameter(START * torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain: nn.Parameter | None = None
        if weight_norm:
            self.gain = nn.Parameter(torch.full((outputs, 1, 1, 1), 1.0 if init_scale else 0.0))
        elif not init_scale:
            nn.init.zeros_(self.weight)

    def forward(self, x: Float[Tensor, " N C H W"]) -> Float[Tensor, " N O H W"]:
        if self.initializing and x.numel() > 0:
            self._initialize(x.detach())
        weight = self.weight if self.gain is None else self.gain * self._direction()
        return F.conv2d(x, weight, self.bias, padding=self.padding)

    def _direction(self) -> Tensor:
        return self.weight / self.weight.flatten(1).norm(dim=1)[:, None, None, None]

    @torch.no_grad()
    def _initialize(self, x: Tensor) -> None:
        weight = self.weight if self.gain is None else self._direction()
        variance, mean = torch.var_mean(F.conv2d(x, weight, padding=self.padding), (0, 2, 3), correction=0)
        scale = self.init_scale / torch.sqrt(variance + EPSILON)
        if self.gain is None:
            self.weight.mul_(scale[:, None, None, None])
        else:
            self.gain.copy_(scale[:, None, None, None])
        self.bias.copy_(-mean * scale)
        self.initializing = False

    def extra_repr(self) -> str:
        outputs, inputs, kernel, _ = self.weight.shape
        return f"{inputs}, {outputs}, kernel={kernel}, init_scale={self.init_scale:g}"
