"""A linear map in QR form: Householder reflections times a triangular matrix.

Dimensions: B any batch shape, D entries of a vector, K reflections.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from diffeo import Bijector, Capabilities
from diffeo_bijectors.config_linear import QRLinear
from diffeo_bijectors.events import Shape, constant_log_det, full_precision, require_vector
from diffeo_bijectors.rows import ONE_BY_ONE, as_rows, upper_triangle

__all__ = ["QRLinearBijector"]


def compact_reflections(vectors: Float[Tensor, "K D"]) -> tuple[Float[Tensor, "K D"], Float[Tensor, "K K"]]:
    """Unit vectors V (rows) and S with ``H_1 H_2 ... H_K = I - V' S^-1 V``, where ``H = I - 2 v v'`` for a unit v.

    S is upper triangular: the inner products of the unit vectors above the diagonal and 1/2 on it (the compact form of
    Schreiber & Van Loan 1989, doi:10.1137/0910005). So K reflections cost two matrix products and one K x K solve, not
    K steps.
    """
    unit = F.normalize(vectors, dim=-1)
    half = 0.5 * torch.eye(unit.shape[0], dtype=unit.dtype, device=unit.device)
    return unit, (unit @ unit.mT).triu(1) + half


def reflect(x: Float[Tensor, "N D"], vectors: Float[Tensor, "K D"]) -> Float[Tensor, "N D"]:
    """``H_K ... H_1 x`` for every row x: the first vector reflects first."""
    unit, s = compact_reflections(vectors)
    return x - torch.linalg.solve_triangular(s, x @ unit.mT, upper=True, left=False) @ unit


def reflect_back(y: Float[Tensor, "N D"], vectors: Float[Tensor, "K D"]) -> Float[Tensor, "N D"]:
    """``H_1 ... H_K y`` for every row y: undoes ``reflect``."""
    unit, s = compact_reflections(vectors)
    return y - torch.linalg.solve_triangular(s.mT, y @ unit.mT, upper=False, left=False) @ unit


class QRLinearBijector(Bijector):
    """A linear map of vectors in QR form.

        forward   y = Q R x + bias                      log_det = +sum(log_diagonal)
        inverse   x = R^-1 Q' (y - bias)                log_det = -sum(log_diagonal)

    R is upper triangular with diagonal exp(log_diagonal); Q = H_K ... H_1 is a product of K reflections ``H = I - 2 v
    v' / v'v``, so det Q = (-1)^K. The reflection vectors start as e1, e1, e2, e2, ... (from the front again when they
    run out), where pairs cancel: Q = I for even K, the reflection in one axis for odd K. R starts as I, or with ``init:
    uniform`` from entries and log_diagonal ~ U(-1, 1)/sqrt(D). bias starts at 0.

    Shapes: x, y ``(*B, D)``. Numerics: an outer autocast is switched off inside; a zero vector reflects nothing. Takes
    a context and ignores it.

    Source: Tomczak & Welling 2016, arXiv:1611.09630 (Householder flows); with R, van den Berg et al. 2018,
    arXiv:1803.05649; initialisation as in Bekasov & Murray 2020, arXiv:2006.08777.

    >>> import torch
    >>> from diffeo_bijectors.config_linear import QRLinear
    >>> layer = QRLinearBijector(QRLinear(init="uniform"), (4,))
    >>> x = torch.randn(10, 4)
    >>> y, log_det = layer(x)
    >>> bool(torch.allclose(layer.inverse(y)[0], x, atol=1e-4)), log_det.shape
    (True, torch.Size([10]))
    """

    capabilities = Capabilities(twice_differentiable=True)

    def __init__(self, config: QRLinear, shape: Shape, context_shape: Shape | None = None) -> None:
        require_vector(shape)
        super().__init__(shape, None, context_shape)
        (size,) = self.in_shape
        count = config.reflections if config.reflections is not None else size + size % 2
        self.vectors = nn.Parameter(torch.eye(size)[(torch.arange(count) // 2) % size])
        self.entries = nn.Parameter(torch.zeros(size, size))
        self.log_diagonal = nn.Parameter(torch.zeros(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.init = config.init
        if size == 1:
            idle = {"entries": ONE_BY_ONE, "vectors": "on the line every reflection is x -> -x"}
            self.capabilities = Capabilities(twice_differentiable=True, idle=idle)
        if config.init == "uniform":
            bound = 1 / math.sqrt(size)
            nn.init.uniform_(self.entries, -bound, bound)
            nn.init.uniform_(self.log_diagonal, -bound, bound)

    def upper(self) -> Float[Tensor, "D D"]:
        """R; of ``entries`` only what lies above the diagonal is used."""
        return upper_triangle(self.entries, self.log_diagonal.exp())

    def forward(
        self, x: Float[Tensor, "*B D"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B D"], Float[Tensor, "*B"]]:
        with full_precision(x):
            y = reflect(F.linear(as_rows(x), self.upper()), self.vectors).reshape(x.shape) + self.bias
            return y, constant_log_det(self.log_diagonal.sum(), x, self.in_shape)

    def inverse(
        self, y: Float[Tensor, "*B D"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B D"], Float[Tensor, "*B"]]:
        with full_precision(y):
            rows = reflect_back(as_rows(y - self.bias), self.vectors)
            x = torch.linalg.solve_triangular(self.upper().mT, rows, upper=False, left=False).reshape(y.shape)
            return x, constant_log_det(-self.log_diagonal.sum(), y, self.in_shape)

    def extra_repr(self) -> str:
        return f"{self.in_shape}, reflections={self.vectors.shape[0]}, init={self.init!r}"
