"""A linear map of vectors by a matrix of free parameters (Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2).

Dimensions: B any batch shape, D entries of a vector.
"""

from diffeo import Capabilities
from diffeo_bijectors.config_linear import DenseLinear
from diffeo_bijectors.conv1x1 import DenseMatrix
from diffeo_bijectors.events import Shape
from diffeo_bijectors.vector_map import VectorMap

__all__ = ["DenseLinearBijector"]


class DenseLinearBijector(VectorMap):
    """A linear map of vectors.

        forward   y = W x + bias                    log_det = +log|det W|
        inverse   x = W^-1 (y - bias)               log_det = -log|det W|

    W is a matrix of free parameters, orthogonal or the identity at first; bias starts at 0.

    Shapes: x, y ``(*B, D)``. Numerics: the determinant costs O(D^3) at every call and is computed in at least float32; an outer
    autocast is switched off inside. Training can carry W through a singular matrix, where the log-det is -inf; in practice the
    log-det itself pushes away. ``lu_linear`` and ``qr_linear`` cannot become singular. Takes a context and ignores it.

    Source: Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2, for vectors.

    >>> import torch, diffeo
    >>> layer = diffeo.build("bijector", "dense_linear", shape=(4,))
    >>> x = torch.randn(10, 4)
    >>> y, log_det = layer(x)
    >>> bool(torch.allclose(layer.inverse(y)[0], x, atol=1e-4)), log_det.shape
    (True, torch.Size([10]))
    """

    capabilities = Capabilities(twice_differentiable=True)

    def __init__(self, config: DenseLinear, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        self._set(DenseMatrix(self.in_shape[0], init=config.init, noise=0.0))
        self.init = config.init

    def extra_repr(self) -> str:
        return f"{self.in_shape}, init={self.init!r}"
