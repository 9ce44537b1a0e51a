"""Square matrices in LU form (Kingma & Dhariwal 2018, arXiv:1807.03039, equation 10) and the linear map made of one.

Dimensions: B any batch shape, D entries of a vector.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Capabilities
from diffeo_bijectors.config_linear import LULinear
from diffeo_bijectors.events import Shape
from diffeo_bijectors.rows import ONE_BY_ONE, as_rows, unit_lower_triangle, upper_triangle
from diffeo_bijectors.vector_map import VectorMap

__all__ = ["LULinearBijector", "LUMatrix"]

MIN_DIAGONAL = 1e-3
"""Smallest entry of U's diagonal (nflows and Bekasov & Murray 2020 use it too): bounds the inverse."""


class LUMatrix(nn.Module):
    """The D x D matrix L U P.

    L is unit lower triangular, U upper triangular with diagonal ``softplus(raw_diagonal) + 1e-3``, P an optional fixed
    permutation. ``entries`` holds L below its diagonal and U above it. ``log_det`` is ``sum(log(diagonal))``; solving
    takes two triangular solves.
    """

    indices: Tensor | None

    def __init__(self, size: int, *, init: str, permute: bool) -> None:
        super().__init__()
        self.entries = nn.Parameter(torch.zeros(size, size))
        self.raw_diagonal = nn.Parameter(torch.full((size,), math.log(math.expm1(1 - MIN_DIAGONAL))))
        self.register_buffer("indices", torch.randperm(size) if permute else None)
        if init == "uniform":
            bound = 1 / math.sqrt(size)
            nn.init.uniform_(self.entries, -bound, bound)
            nn.init.uniform_(self.raw_diagonal, -bound, bound)

    def diagonal(self) -> Float[Tensor, " D"]:
        return F.softplus(self.raw_diagonal) + MIN_DIAGONAL

    def factors(self) -> tuple[Float[Tensor, "D D"], Float[Tensor, "D D"]]:
        return unit_lower_triangle(self.entries), upper_triangle(self.entries, self.diagonal())

    def multiply(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """L U P x for every row of x."""
        lower, upper = self.factors()
        permuted = x if self.indices is None else x.index_select(-1, self.indices)
        return F.linear(F.linear(permuted, upper), lower)

    def solve(self, y: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """The x with L U P x = y."""
        lower, upper = self.factors()
        rows = torch.linalg.solve_triangular(lower.mT, as_rows(y), upper=True, left=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper.mT, rows, upper=False, left=False).reshape(y.shape)
        return x if self.indices is None else x.index_select(-1, self.indices.argsort())

    def log_det(self) -> Float[Tensor, ""]:
        """log|det L U P|."""
        return self.diagonal().log().sum()


class LULinearBijector(VectorMap):
    """A linear map of vectors in LU form.

        forward   y = L U P x + bias                    log_det = +sum(log(diag(U)))
        inverse   x = P' U^-1 L^-1 (y - bias)           log_det = -sum(log(diag(U)))

    L is unit lower triangular, U upper triangular with diagonal softplus(raw) + 1e-3, P a fixed random permutation
    (none with ``permute: false``), drawn from torch's global generator and saved with the weights. Starts as P, or with
    ``init: uniform`` from entries and raw diagonal ~ U(-1, 1)/sqrt(D). bias starts at 0.

    Shapes: x, y ``(*B, D)``. Numerics: an outer autocast is switched off inside. Since diag(U) is positive, L U reaches
    only matrices with positive leading minors; ``qr_linear`` has no such limit. Takes a context and ignores it.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, equation 10; as a layer for vectors Oliva et al. 2018,
    arXiv:1801.09819.

    >>> import torch
    >>> from diffeo_bijectors.config_linear import LULinear
    >>> layer = LULinearBijector(LULinear(init="uniform"), (4,))
    >>> x = torch.randn(10, 4)
    >>> y, log_det = layer(x)
    >>> bool(torch.allclose(layer.inverse(y)[0], x, atol=1e-4)), log_det.shape
    (True, torch.Size([10]))
    """

    capabilities = Capabilities(twice_differentiable=True)

    def __init__(self, config: LULinear, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        self._set(LUMatrix(self.in_shape[0], init=config.init, permute=config.permute))
        self.init = config.init
        if self.in_shape == (1,):
            self.capabilities = Capabilities(twice_differentiable=True, idle={"matrix.entries": ONE_BY_ONE})

    def extra_repr(self) -> str:
        return f"{self.in_shape}, init={self.init!r}, permute={self.matrix.indices is not None}"
