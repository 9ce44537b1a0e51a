"""Invertible 1x1 convolution (Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2).

Dimensions: B any batch shape, C channels, H and W the sides of the image.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_linear import Conv1x1
from diffeo_bijectors.events import Shape, constant_log_det, full_precision, positions, require_image
from diffeo_bijectors.lu import LUMatrix
from diffeo_bijectors.rows import ONE_BY_ONE, as_rows

__all__ = ["Conv1x1Bijector", "DenseMatrix"]


class DenseMatrix(nn.Module):
    """A D x D matrix of free parameters; ``log_det`` by slogdet, solving by an LU decomposition at every call.

    Training can carry it through a singular matrix, where the log-det is -inf; in practice the log-det itself pushes
    away.
    """

    def __init__(self, size: int, *, init: str, noise: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(size))
        if init == "orthogonal":
            nn.init.orthogonal_(self.weight)
        with torch.no_grad():
            self.weight.add_(noise * torch.randn(size, size))

    def multiply(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """weight x for every row of x."""
        return F.linear(x, self.weight)

    def solve(self, y: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """The x with weight x = y."""
        return torch.linalg.solve(self.weight, as_rows(y).mT).mT.reshape(y.shape)

    def log_det(self) -> Float[Tensor, ""]:
        """log|det weight|, in at least float32."""
        weight = self.weight.to(torch.promote_types(self.weight.dtype, torch.float32))
        return torch.linalg.slogdet(weight).logabsdet


def matrix(config: Conv1x1, size: int) -> LUMatrix | DenseMatrix:
    """The matrix a config asks for; combinations that have no meaning are refused."""
    dense = config.parametrization == "dense"
    inits = ("orthogonal", "identity") if dense else ("identity", "uniform")
    init = inits[0] if config.init is None else config.init
    if init not in inits:
        raise ValueError(
            f"expected init {' or '.join(inits)} where parametrization is {config.parametrization}; got {init}"
        )
    if config.noise > 0 and not (dense and init == "identity"):
        raise ValueError(
            f"expected noise only where parametrization is dense and init is identity; got noise {config.noise:g} with "
            f"{config.parametrization} and {init}"
        )
    if dense:
        return DenseMatrix(size, init=init, noise=config.noise)
    return LUMatrix(size, init=init, permute=config.permute)


class Conv1x1Bijector(Bijector):
    """A linear map of the channels, the same at every position.

        forward   y[:, h, w] = W x[:, h, w] + bias            log_det = +H W log|det W|
        inverse   x[:, h, w] = W^-1 (y[:, h, w] - bias)       log_det = -H W log|det W|

    With ``parametrization: lu`` (the default) W = L U P as in ``lu_linear``, never singular, its log-det and inverse
    cheap. With ``dense`` W is a free matrix, orthogonal at first; its determinant is computed in at least float32, and
    it can become singular in principle. bias starts at 0, and is left out with ``bias: false``.

    Shapes: x, y ``(*B, C, H, W)``. Numerics: an outer autocast is switched off inside. Takes a context and ignores it.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2 and equation 10.

    >>> import torch
    >>> from diffeo_bijectors.config_linear import Conv1x1
    >>> layer = Conv1x1Bijector(Conv1x1(parametrization="dense"), (4, 8, 8))
    >>> x = torch.randn(2, 4, 8, 8)
    >>> y, log_det = layer(x)
    >>> bool(torch.allclose(layer.inverse(y)[0], x, atol=1e-4)), log_det.shape
    (True, torch.Size([2]))
    """

    capabilities = Capabilities(twice_differentiable=True)

    def __init__(self, config: Conv1x1, shape: Shape, context_shape: Shape | None = None) -> None:
        require_image(shape)
        super().__init__(shape, None, context_shape)
        self.matrix = matrix(config, self.in_shape[0])
        self.bias = nn.Parameter(torch.zeros(self.in_shape[0])) if config.bias else None
        self.parametrization = config.parametrization
        if self.in_shape[0] == 1 and config.parametrization == "lu":
            self.capabilities = Capabilities(twice_differentiable=True, idle={"matrix.entries": ONE_BY_ONE})

    def forward(
        self, x: Float[Tensor, "*B C H W"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B C H W"], Float[Tensor, "*B"]]:
        with full_precision(x):
            y = self.matrix.multiply(x.movedim(-3, -1))
            y = y if self.bias is None else y + self.bias
            log_det = positions(self.in_shape) * self.matrix.log_det()
            return y.movedim(-1, -3), constant_log_det(log_det, x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B C H W"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B C H W"], Float[Tensor, "*B"]]:
        with full_precision(y):
            last = y.movedim(-3, -1)
            x = self.matrix.solve(last if self.bias is None else last - self.bias)
            log_det = -positions(self.in_shape) * self.matrix.log_det()
            return x.movedim(-1, -3), constant_log_det(log_det, y, self.in_shape)

    def extra_repr(self) -> str:
        return f"{self.in_shape}, parametrization={self.parametrization!r}"
