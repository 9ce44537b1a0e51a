"""Nested dropout for flows (Bekasov & Murray 2020, arXiv:2006.08777, section 3).

B batch, K draws of the number of latents kept, D number of latents, N number of dimensions of the data.
"""

import math
from contextlib import ExitStack
from typing import Any, cast

from jaxtyping import Float
from torch import Tensor

import diffeo
from diffeo import Loss, Progress, Target, bits_per_dim
from diffeo_nested_dropout.config import NestedDropout
from diffeo_nested_dropout.order import Order
from diffeo_nested_dropout.truncation import keep_first, latent_ranks

__all__ = ["NestedDropoutObjective", "reconstruction_error", "require_cheap_inverse"]


def reconstruction_error(
    y: Float[Tensor, "*B_event"], decoded: Float[Tensor, " K *B_event"], num_dims: int, *, unit: float = 1.0, mean: bool
) -> Float[Tensor, " K *B"]:
    """||(y - decoded) / unit||^2 of each example, or its mean over dimensions (eq. 6)."""
    squares = ((decoded - y) / unit).square().flatten(-num_dims)
    return squares.mean(-1) if mean else squares.sum(-1)


def require_cheap_inverse(model: Any, who: str) -> None:
    """Raise unless a flow decodes in about the time that it encodes."""
    able = model.capabilities
    if able.sequential_inverse:
        raise ValueError(
            f"expected a flow that is as cheap to invert as to evaluate, for {who} decodes; got one with an "
            "autoregressive step, whose way back takes a pass for every dimension: use coupling instead of autoregressive"
        )
    if able.inverse == "none":
        raise ValueError(f"expected a flow with an inverse, for {who} decodes; got one without")


class NestedDropoutObjective(diffeo.Objective):
    """Minus the log-likelihood, plus the expected error of what the first k latents alone are decoded to.

        loss = mean over x of  -log p(x) + weight * E_k || y - f^-1(m_k * f(y)) ||^2,      m_k = (1 .. 1, 0 .. 0), k ones

    with f the steps of the flow, y the continuous point behind x (x itself without a dequantization) and k drawn for every
    example from ``order``. Encoded once; the gradient flows through f and f^-1. The first term is that of
    ``maximum_likelihood``, in nats or bits per dimension; the second one a mean or a sum over the dimensions of the data, in
    units of the data divided by ``unit``. With ``distance: mean`` and ``units: bits_per_dim`` over N dimensions, a weight w is a
    weight ``w ln 2`` of the sum of squares beside nats (eq. 6 of the paper, whose image experiments mix the two units).

    Latents flattened in row-major order have the rank that ``latents`` gives them; a multi-scale flow has its deepest level
    first. Metrics: ``log_prob`` (nats), ``bits_per_dim`` and, in the steps that compute it, ``reconstruction_error``.

    Numerics: with ``every: n`` the second term is there n-fold at every n-th step, and 0 in between, so that its mean over
    steps is that of ``every: 1``. Where the weight is 0 nothing is decoded. Augmented flows encode with noise and decode
    without.

    Source: Bekasov and Murray 2020, arXiv:2006.08777, eq. 5 and 6; nested dropout is of Rippel, Gelbart and Adams 2014,
    arXiv:1402.0915.

    >>> import torch, diffeo
    >>> flow = diffeo.build("model", {"flow": {"steps": ["qr_linear"]}}, shape=(3,))
    >>> objective = diffeo.build(NestedDropout(units="nats"), model=flow, data=None)
    >>> loss = objective(flow, {"x": torch.zeros(5, 3)}, diffeo.Progress(0, 1, 5))
    >>> sorted(loss.metrics)
    ['bits_per_dim', 'log_prob', 'reconstruction_error']
    """

    ranks: Tensor

    def __init__(self, config: NestedDropout, model: Any, data: Any) -> None:
        super().__init__(model, data)
        if isinstance(data, Target):
            raise ValueError("expected data with examples x; got a target (an objective such as reverse_kl fits one)")
        self.config = config
        if config.weight > 0:
            require_cheap_inverse(model, "nested_dropout")
        num_latents = math.prod(model.latent_shape)
        self.order: Order = diffeo.make(config.order, (num_latents,), at="order")
        self.register_buffer("ranks", latent_ranks(config.latents, num_latents), persistent=False)

    def forward(self, model: Any, batch: dict[str, Tensor], progress: Progress) -> Loss:
        x, context = batch["x"], batch.get("context")
        if self.config.weight == 0:
            return self._loss(model, model.elbo(x, context=context), None)
        uniform = diffeo.uniform_noise((self.config.draws, len(x)), model.like)
        if progress.step % self.config.every:
            return self._loss(model, model.elbo(x, context=context), None)
        with ExitStack() as stack:
            if self.config.statistics == "frozen":
                stack.enter_context(diffeo.recorded_statistics(model))
            encoded = model.encode_data(x, context=context)
            if self.config.statistics == "frozen":
                stack.enter_context(diffeo.replayed_statistics(model))
            decoded = self._decode_first(model, encoded.z, self.order.quantile(uniform), context)
        error = reconstruction_error(
            encoded.y,
            decoded,
            len(model.event_shape),
            unit=self.config.unit,
            mean=self.config.distance == "mean",
        )
        return self._loss(model, encoded.elbo, error.mean())

    def _decode_first(self, model: Any, z: Tensor, kept: Tensor, context: Tensor | None) -> Tensor:
        """Decode the first latents alone, ``(K, B, *event)``."""
        flat = z.flatten(-len(model.latent_shape))
        masked = keep_first(flat, kept, self.ranks).unflatten(-1, model.latent_shape)
        return cast(Tensor, model.decode(masked, context=context))

    def _loss(self, model: Any, elbo: Tensor, error: Tensor | None) -> Loss:
        log_prob = elbo.mean()
        bits = bits_per_dim(log_prob, math.prod(model.event_shape))
        value = bits if self.config.units == "bits_per_dim" else -log_prob
        metrics = {"log_prob": log_prob.detach(), "bits_per_dim": bits.detach()}
        if error is not None:
            value = value + self.config.weight * self.config.every * error
            metrics["reconstruction_error"] = error.detach()
        return Loss(value, metrics)
