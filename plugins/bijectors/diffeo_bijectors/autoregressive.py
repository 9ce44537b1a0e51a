"""Autoregressive layer with a masked MLP (Papamakarios et al. 2017, arXiv:1705.07057).

B any batch shape, D entries of an event, P parameters of the elementwise transform per entry.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

import diffeo
from diffeo import Capabilities
from diffeo_bijectors.config import Autoregressive
from diffeo_bijectors.elementwise import Elementwise
from diffeo_bijectors.events import Shape, batch_shape, sum_event
from diffeo_bijectors.masked_mlp import MaskedMLP

__all__ = ["AutoregressiveBijector"]


class AutoregressiveBijector(diffeo.Bijector):
    """Every entry is transformed elementwise with parameters computed from the entries before it, and the context.

        y_i = T_theta_i(x_i),   theta_i = net_i(x_1 .. x_{i-1}, context),   log|det dy/dx| = sum_i log T_theta_i'(x_i)

    ``forward`` (density) takes one pass of the network. ``inverse`` (sampling) solves for one entry after the other and
    takes D passes. Wrapped in ``invert`` it is the inverse autoregressive flow: one pass to sample, D for the density.
    Which entry comes first is a matter of the permutations around the layer.

    Shapes: events of any rank, flattened in row-major order; D is their number of entries.

    Numerics: those of the transform. The layer is the identity until its network's output layer is trained away from 0.

    Source: Papamakarios, Pavlakou and Murray 2017, arXiv:1705.07057, eq. 3 to 5; masks of Germain et al. 2015.

    >>> import torch, diffeo
    >>> layer = diffeo.build("bijector", {"autoregressive": {"hidden": [32]}}, shape=(3,))
    >>> y, log_det = layer(torch.ones(2, 3))
    >>> y.shape, log_det.shape
    (torch.Size([2, 3]), torch.Size([2]))
    """

    transform: Elementwise

    def __init__(self, config: Autoregressive, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape=context_shape)
        self.transform = diffeo.make(config.transform, at="transform")
        self.size = math.prod(self.in_shape)
        self.network = MaskedMLP(self.size, self.transform.num_params, config.hidden, self.context_shape)
        transform = self.transform.capabilities
        self.capabilities = Capabilities(
            inverse=transform.inverse,
            sequential_inverse=True,
            context="all",
            preserves_volume=transform.preserves_volume,
            twice_differentiable=transform.twice_differentiable,
        )

    def params(self, flat: Float[Tensor, "*B D"], *, context: Tensor | None = None) -> Float[Tensor, " P *B D"]:
        """The transform's parameters for flattened events; column i depends on the columns before i only."""
        out = self.network(flat, context=context)
        return out.reshape(*flat.shape[:-1], self.transform.num_params, self.size).movedim(-2, 0)

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        flat = self._flatten(x)
        y, log_det = self.transform(flat, self.params(flat, context=context))
        return y.reshape(x.shape), sum_event(log_det, (self.size,))

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        flat = self._flatten(y)
        x, rest = flat[..., :0], torch.zeros_like(flat)
        log_dets: list[Tensor] = []
        for i in range(self.size):
            params = self.params(torch.cat([x, rest[..., i:]], dim=-1), context=context)
            column, log_det = self.transform.inverse(flat[..., i : i + 1], params[..., i : i + 1])
            x = torch.cat([x, column], dim=-1)
            log_dets.append(log_det)
        return x.reshape(y.shape), sum_event(torch.cat(log_dets, dim=-1), (self.size,))

    def _flatten(self, x: Tensor) -> Tensor:
        return x.reshape(*batch_shape(x, self.in_shape), self.size)
