"""Coupling layer (Dinh et al. 2014, arXiv:1410.8516, eq. 6 to 9).

B any batch shape, P parameters of the elementwise transform per entry.
"""

from jaxtyping import Float
from torch import Tensor

import diffeo
from diffeo import Capabilities
from diffeo_bijectors.config import Coupling
from diffeo_bijectors.elementwise import Elementwise
from diffeo_bijectors.events import Shape, batch_shape, sum_event
from diffeo_bijectors.split import Split

__all__ = ["CouplingBijector"]


class CouplingBijector(diffeo.Bijector):
    """Part of the event is kept; the other part is transformed elementwise, with parameters computed from the kept part.

        x = join(a, b),    theta = network(a, context),    y = join(a, T_theta(b))
        log|det dy/dx| =  sum log T_theta'(b)           back: b = T_theta^-1(b'), with minus the same sum

    The kept part passes unchanged, so both directions cost one pass of the network. The three parts are slots: ``split``,
    ``transform`` (kind elementwise) and ``network``; they are attributes of the same names, and ``params(kept, context=...)``
    gives theta, for whoever needs more than the two directions.

    Shapes: whatever the split takes. The network maps ``split.kept_shape`` to ``(P * n, ...)`` where ``(n, ...)`` is
    ``split.changed_shape``: all entries' first parameter, then all entries' second one, and so on.

    Numerics: those of the transform. The layer is the identity until its network's output layer is trained away from 0.

    Source: Dinh, Krueger and Bengio 2014, arXiv:1410.8516, eq. 6 to 9.

    >>> import torch, diffeo
    >>> layer = diffeo.build("bijector", {"coupling": {"transform": "rq_spline"}}, shape=(4,))
    >>> y, log_det = layer(torch.ones(2, 4))
    >>> y.shape, log_det.shape
    (torch.Size([2, 4]), torch.Size([2]))
    """

    split: Split
    transform: Elementwise
    network: diffeo.Network

    def __init__(self, config: Coupling, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape=context_shape)
        self.split = diffeo.make(config.split, self.in_shape, at="split")
        self.transform = diffeo.make(config.transform, at="transform")
        size, *rest = self.split.changed_shape
        params_shape = (self.transform.num_params * size, *rest)
        self.network = diffeo.make(
            config.network, self.split.kept_shape, params_shape, self.context_shape, at="network"
        )
        transform, network = self.transform.capabilities, self.network.capabilities
        self.capabilities = Capabilities(
            inverse=transform.inverse,
            context="none" if network.context == "none" else "some",
            preserves_volume=transform.preserves_volume,
            twice_differentiable=transform.twice_differentiable and network.twice_differentiable,
            batch_statistics=network.batch_statistics,
        )

    def params(
        self, kept: Float[Tensor, "*B_kept"], *, context: Tensor | None = None
    ) -> Float[Tensor, " P *B_changed"]:
        """The transform's parameters for a kept part; the parameter axis is first (a view: nothing is copied)."""
        changed_shape = self.split.changed_shape
        batch = batch_shape(kept, self.split.kept_shape)
        flat = self.network(kept, context=context)
        return flat.reshape(*batch, self.transform.num_params, *changed_shape).movedim(len(batch), 0)

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        kept, changed = self._part(x)
        changed, log_det = self.transform(changed, self.params(kept, context=context))
        return self.split.join(kept, changed), sum_event(log_det, self.split.changed_shape)

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        kept, changed = self._part(y)
        changed, log_det = self.transform.inverse(changed, self.params(kept, context=context))
        return self.split.join(kept, changed), sum_event(log_det, self.split.changed_shape)

    def _part(self, x: Tensor) -> tuple[Tensor, Tensor]:
        batch_shape(x, self.in_shape)
        return self.split.part(x)
