"""The flow: a base distribution seen through steps, a model and a distribution.

    log p(x) = log p_base(z) + log-weights of the dequantization and of every step,   z = steps(dequantize(x))

Dimensions: B batch, K importance draws.
"""

import math
from typing import NamedTuple, cast

import attrs
import torch
from torch import Tensor

from diffeo.augmenter import Augmenter
from diffeo.building import make
from diffeo.capabilities import Capabilities, combined
from diffeo.config import Flow
from diffeo.distribution import Distribution
from diffeo.network import Encoder
from diffeo.step_lists import (
    last_shape,
    make_steps,
    named_steps,
    require_invertible,
    run_back,
    run_steps,
    strip_steps,
    zeros,
)
from diffeo_registry import BuildError

__all__ = ["Encoded", "FlowModel"]

Shape = tuple[int, ...]
DRAWS_AT_ONCE = 1024
"""Default number of rows times draws that ``log_prob`` evaluates together: bounds memory, keeps small batches fast."""


class Encoded(NamedTuple):
    """One pass from the data to the latent, with everything on the way."""

    y: Tensor
    """The continuous point behind x, (*B, *event_shape)."""
    z: Tensor
    """The latent, (*B, *latent_shape)."""
    elbo: Tensor
    """log p(x), or one draw of its lower bound where the flow is not exact, (*B)."""


class FlowModel(Distribution):
    """A normalizing flow: exact where all its steps are bijectors, a variational bound where one draws noise.

    * data side: ``elbo``, ``log_prob``, ``sample``, ``sample_and_log_prob``;
    * continuous side: ``encode(y) -> (z, log_weight)`` and ``decode(z) -> y``, differentiable both ways; ``dequantize``
      leads from the data to it.

    Shapes: x and y (*B, *event_shape), z (*B, *latent_shape), context (*Bc, *context_shape) where Bc broadcasts to B; log
    terms (*B), in nats. The context is taken in the dtype of the flow, goes through the context network once per call and
    is expanded to the batch.

    Source: Papamakarios et al. 2021, arXiv:1912.02762, section 2.

    >>> import diffeo
    >>> flow = diffeo.build("model", "flow", shape=(2,))
    >>> flow.log_prob(torch.zeros(5, 2)).shape
    torch.Size([5])
    """

    def __init__(self, config: Flow, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape)
        self.context_network = self._make_context_network(config)
        features = context_shape if self.context_network is None else self.context_network.out_shape
        self.features_shape = features
        self.dequantization: Augmenter | None = None
        if config.dequantization is not None:
            self.dequantization = make(config.dequantization, shape, features, at="dequantization")
        self.start = config.start
        self.steps = make_steps(config.steps, shape, features)
        if self.start == "base":
            require_invertible(self.steps, tuple(shape), "a flow that starts at the base")
        self.latent_shape: Shape = last_shape(self.steps, shape)
        self.base: Distribution = make(config.base, self.latent_shape, features, at="base")
        if not self.base.is_exact:
            raise BuildError("expected a base whose density is exact; got one that only bounds it", ("base",))
        parts = [*self.steps, *([] if self.dequantization is None else [self.dequantization])]
        self._is_exact = all(cast(Augmenter, part).is_exact for part in parts)
        self.capabilities = self._combined()

    def _make_context_network(self, config: Flow) -> Encoder | None:
        if config.context_network is None:
            return None
        if self.context_shape is None:
            raise BuildError("expected data with a context for the context network; got none", ("context_network",))
        return make(config.context_network, self.context_shape, at="context_network")

    def _combined(self) -> Capabilities:
        """Where the data lie, and what else follows from the parts; a context that moves any of them moves the density."""
        parts = {prefix: step.capabilities for prefix, step in named_steps(self.steps).items()}
        whole = combined({**parts, "base.": attrs.evolve(self.base.capabilities, inverse="analytic")})
        steps = combined(parts)
        domain = steps.image if self.start == "base" else steps.domain if parts else self.base.capabilities.domain
        return attrs.evolve(
            whole,
            domain="integers" if self.dequantization is not None else domain,
            image="real",
            context="none" if whole.context == "none" else "all",
            preserves_volume=False,
        )

    @property
    def is_exact(self) -> bool:
        return self._is_exact

    # The continuous side

    def dequantize(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(y, log_weight): the continuous point behind x; the identity and 0 without a dequantization."""
        x, features = self._prepare(x, context)
        return self._dequantize(x, features)

    def encode(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(z, log_weight) such that log p(y) is (bounded by) base.log_prob(z) + log_weight."""
        y, features = self._prepare(y, context)
        return self._encode(y, features)

    def decode(self, z: Tensor, *, context: Tensor | None = None) -> Tensor:
        """The continuous point that z stands for."""
        self._check("z", z, self.latent_shape)
        return self._decode(z, self._features(context, z.shape[: z.dim() - len(self.latent_shape)]))

    # The data side

    def elbo(self, x: Tensor, *, context: Tensor | None = None) -> Tensor:
        """One draw of the evidence lower bound; log p(x) itself where the flow is exact."""
        return self._elbo(*self._prepare(x, context))

    def encode_data(self, x: Tensor, *, context: Tensor | None = None) -> Encoded:
        """The continuous point, the latent and ``elbo`` of x in one pass, for objectives that need more than the last."""
        return self._encode_data(*self._prepare(x, context))

    def log_prob(
        self, x: Tensor, *, context: Tensor | None = None, num_samples: int | None = None, chunk: int | None = None
    ) -> Tensor:
        """log p(x | context); for a flow that draws noise the importance-weighted bound with ``num_samples`` draws,

            log p(x) >= E log (1/K) sum_k exp(w_k),    w_k independent draws of ``elbo``,

        streamed in chunks of ``chunk`` draws (memory is bounded where gradients are off). A draw is one of all the noise of
        the flow together, dequantization and augmenters. Burda et al. 2016, arXiv:1509.00519, equation 8.
        """
        x, features = self._prepare(x, context)
        if self._is_exact:
            return self._elbo(x, features)
        if num_samples is None:
            raise ValueError(
                "expected num_samples: this flow draws noise (dequantization or an augmenter), so log_prob is an "
                "importance-weighted bound; got none (elbo(x) is the bound with one draw)"
            )
        if num_samples < 1:
            raise ValueError(f"expected num_samples >= 1; got {num_samples}")
        if chunk is not None and chunk < 1:
            raise ValueError(f"expected chunk >= 1; got {chunk}")
        rows = x.shape[: x.dim() - len(self.event_shape)].numel()
        chunk = chunk or max(1, DRAWS_AT_ONCE // max(rows, 1))
        reference = total = None
        for start in range(0, num_samples, chunk):
            draws = min(chunk, num_samples - start)
            expanded = None if features is None else features.expand(draws, *features.shape)
            weights = self._elbo(x.expand(draws, *x.shape), expanded)
            if reference is None:  # near the sum: what is added up stays small, and rounding with it
                reference = weights.detach().logsumexp(0)
                reference = torch.where(reference.isfinite(), reference, torch.zeros_like(reference))
            part = (weights - reference).logsumexp(0)
            total = part if total is None else torch.logaddexp(total, part)
        assert total is not None
        assert reference is not None
        return total - math.log(num_samples) + reference

    @torch.no_grad()
    def sample(self, sample_shape: Shape = (), *, context: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draws of shape (*sample_shape, *Bc, *event_shape), integers where the flow has a dequantization.

        Without gradients: use ``decode`` or ``sample_and_log_prob`` to differentiate through a draw.
        """
        features = self._features(context, None)
        z = self.base.sample(sample_shape, context=features, temperature=temperature)
        features = self._expand(features, z.shape[: z.dim() - len(self.latent_shape)])
        y = self._decode(z, features)
        return y if self.dequantization is None else self.dequantization.strip(y, context=features)

    def sample_and_log_prob(self, sample_shape: Shape = (), *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Reparameterised draws and their log-densities in one pass; for exact flows."""
        if not self._is_exact:
            raise ValueError("expected an exact flow for sample_and_log_prob; got one that draws noise (sample works)")
        features = self._features(context, None)
        z, log_prob = self.base.sample_and_log_prob(sample_shape, context=features)
        features = self._expand(features, z.shape[: z.dim() - len(self.latent_shape)])
        x, log_det = self._decode_with_log_det(z, features)
        return x, log_prob - log_det

    # What the public methods share; features are the encoded context, expanded to the batch shape

    def _elbo(self, x: Tensor, features: Tensor | None) -> Tensor:
        return self._encode_data(x, features).elbo

    def _encode_data(self, x: Tensor, features: Tensor | None) -> Encoded:
        y, log_weight_0 = self._dequantize(x, features)
        z, log_weight = self._encode(y, features)
        return Encoded(y, z, self.base.log_prob(z, context=features) + log_weight + log_weight_0)

    def _dequantize(self, x: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.dequantization is None:
            return x, zeros(x, len(self.event_shape))
        return self.dequantization.augment(x, context=features)

    def _encode(self, y: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        run = run_back if self.start == "base" else run_steps
        return run(self.steps, y, zeros(y, len(self.event_shape)), features)

    def _decode(self, z: Tensor, features: Tensor | None) -> Tensor:
        if self.start == "base":
            return run_steps(self.steps, z, zeros(z, len(self.latent_shape)), features)[0]
        return strip_steps(self.steps, z, features)

    def _decode_with_log_det(self, z: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        run = run_steps if self.start == "base" else run_back
        return run(self.steps, z, zeros(z, len(self.latent_shape)), features)

    # Checks of what comes in

    def _prepare(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if not x.is_floating_point():
            if self.dequantization is None:
                raise ValueError(
                    f"expected floating-point data, or a flow with a dequantization for integers; got {x.dtype}: "
                    "write 'dequantization: uniform', or convert the data if they are continuous"
                )
            x = x.to(self.like.dtype)
        self._check("x", x, self.event_shape)
        return x, self._features(context, x.shape[: x.dim() - len(self.event_shape)])

    def _check(self, name: str, x: Tensor, shape: Shape) -> None:
        if tuple(x.shape[max(0, x.dim() - len(shape)) :]) != shape:
            raise ValueError(f"expected {name} of shape (*B, {', '.join(map(str, shape))}); got {tuple(x.shape)}")
        if x.dtype != self.like.dtype:
            raise ValueError(
                f"expected {name} of the flow's dtype {self.like.dtype}; got {x.dtype}: convert one of them"
            )

    def _features(self, context: Tensor | None, batch_shape: Shape | None) -> Tensor | None:
        """The encoded context, expanded to the batch shape where one is given."""
        if (context is None) != (self.context_shape is None):
            wanted = "no context" if self.context_shape is None else f"a context of shape {self.context_shape} per row"
            raise ValueError(f"expected {wanted}; got {'none' if context is None else tuple(context.shape)}")
        if context is None or self.context_shape is None:
            return None
        start = context.dim() - len(self.context_shape)
        if start < 0 or tuple(context.shape[start:]) != self.context_shape:
            shape = ", ".join(map(str, self.context_shape))
            raise ValueError(f"expected a context of shape (*B, {shape}); got {tuple(context.shape)}")
        if context.is_floating_point() or self.context_network is None:  # an encoder may embed whole numbers
            context = context.to(self.like.dtype)
        features = context if self.context_network is None else self.context_network(context)
        return features if batch_shape is None else self._expand(features, batch_shape)

    def _expand(self, features: Tensor | None, batch_shape: Shape) -> Tensor | None:
        if features is None or self.features_shape is None:
            return None
        own = features.shape[: features.dim() - len(self.features_shape)]
        try:
            return features.expand(*batch_shape, *self.features_shape)
        except RuntimeError:
            raise ValueError(
                f"expected a context whose batch shape broadcasts to {tuple(batch_shape)}; got {tuple(own)}"
            ) from None

    def extra_repr(self) -> str:
        exact = "exact" if self._is_exact else "a bound"
        return f"{self.event_shape} -> {self.latent_shape}, start={self.start}, log_prob is {exact}"
