"""Mixture-of-logistics transform of Flow++ (Ho et al. 2019, arXiv:1902.00275, section 3.2) and of VFlow.

S any shape, K components, P = 2 + 3 K parameters.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

import diffeo
from diffeo_bijectors import Elementwise, Scale
from diffeo_vflow.config import MixtureLogistic
from diffeo_vflow.root_finding import root_between

__all__ = ["MixtureLogisticElementwise"]

MAX_LOG_SCALE = 20.0
"""Of a component. One that is wider has less slope than float32 can tell from none; its quantiles must stay finite."""


class Mixture(NamedTuple):
    """A mixture for each entry; all ``(K, *S)``."""

    log_weights: Tensor
    means: Tensor
    log_scales: Tensor


class LogTails(NamedTuple):
    """Logarithms of the mass below and above a point and of the density at it; all ``(*S)``."""

    below: Tensor
    above: Tensor
    density: Tensor


def log_tails(x: Float[Tensor, "*S"], mixture: Mixture) -> LogTails:
    """Both tails and the density of a mixture of logistic distributions; accurate however small they are."""
    z = (x - mixture.means) * torch.exp(-mixture.log_scales)
    below, above = logsigmoid(z), logsigmoid(-z)
    density = mixture.log_weights - mixture.log_scales + below + above
    return LogTails(
        torch.logsumexp(mixture.log_weights + below, 0),
        torch.logsumexp(mixture.log_weights + above, 0),
        torch.logsumexp(density, 0),
    )


def quantile(logit: Float[Tensor, "*S"], mixture: Mixture, *, iterations: int) -> Float[Tensor, "*S"]:
    """The x with ``log below - log above = logit``, without a gradient.

    The x of a mixture lies between those of its components, which are known, and a component alone puts a bound on each tail:
    a tight bracket without a search. The root is sought in asinh(x), for a bracket can be as wide as the widest component
    while data are of order 1; and for the logarithm of the smaller tail, which is nearly linear where a tail is small.
    """
    low, high = (torch.asinh(end) for end in _bracket(logit, mixture))
    upper = logit > 0
    sign = 1.0 - 2.0 * upper.to(logit.dtype)
    log_tail, rates = logsigmoid(-logit.abs()), sign * torch.exp(-mixture.log_scales)

    def excess(position: Tensor) -> Tensor:
        z = (torch.sinh(position) - mixture.means) * rates
        return sign * (torch.logsumexp(mixture.log_weights + logsigmoid(z), 0) - log_tail)

    return torch.sinh(root_between(excess, low, high, iterations=iterations))


def _bracket(logit: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Where the x for ``logit`` lies, a little widened: rounding must not push it over the edge where the two nearly touch."""
    scales, room = torch.exp(mixture.log_scales), torch.finfo(logit.dtype).eps ** 0.5

    def end(z: Tensor, sign: float) -> Tensor:
        return mixture.means + scales * (z + sign * room * (1 + z.abs())) + sign * room**2 * mixture.means.abs()

    # weight_k sigmoid(z_k) is at most the whole mass below, and likewise above.
    high = end(_logit_of_share(logsigmoid(logit) - mixture.log_weights, room), 1.0)
    low = end(-_logit_of_share(logsigmoid(-logit) - mixture.log_weights, room), -1.0)
    return (
        torch.maximum(end(logit, -1.0).amin(0), low.amax(0)),
        torch.minimum(end(logit, 1.0).amax(0), high.amin(0)),
    )


def _logit_of_share(log_share: Tensor, room: float) -> Tensor:
    """logit(exp(log_share)), and infinity for a share of 1 and more, or so close to it that nothing is known."""
    is_bound = log_share < -room
    inside = torch.where(is_bound, log_share, -1.0)
    return torch.where(is_bound, inside - torch.log(-torch.expm1(inside)), math.inf)


class MixtureLogisticElementwise(Elementwise):
    """The distribution function of a mixture of logistic distributions, then logit, then scale and shift.

        F(x) = sum_k pi_k sigmoid((x - mu_k) exp(-l_k)),      P = margin + (1 - 2 margin) F(x)
        y = logit(P) exp(s) + b
        log dy/dx = log F'(x) + log(1 - 2 margin) - log P - log(1 - P) + s

    back: P = sigmoid((y - b) exp(-s)), and the root x of F(x) = (P - margin) / (1 - 2 margin).

    Shapes: x ``(*S)``; params ``(2 + 3 K, *S)``: the raw value that the slot ``scale`` turns into s, then b, then K logits of
    pi, K means mu, K log-scales l. With params 0 and without a margin it is the identity.

    **Image.** Without a margin it is all of R. With one, as VFlow has it (0.05), it is the interval
    ``|y - b| < log((1 - margin) / margin) exp(s)`` (2.94 exp(s)): a density of x is right, and has less than its whole mass
    on data, but a y from elsewhere has no x. ``inverse`` clips it to the end of the interval, where F or 1 - F is the epsilon
    of the dtype; ``clipped`` says where that happens.

    Numerics: everything in log space, so that values, log-derivatives and gradients stay finite far in the tails. l is
    clamped to [min_log_scale, 20]. The root is found by a fixed number of safeguarded steps in a bracket known beforehand; its
    gradient is that of the implicit function (first derivatives only), with slopes of at least the square root of the smallest
    number.

    Source: Ho, Chen, Srinivas, Duan and Abbeel 2019, arXiv:1902.00275, section 3.2; the margin and s = tanh(raw) are of the
    code of Chen et al. 2020, arXiv:2002.09741, whose paper has s = raw (``scale: exp``).

    >>> import torch, diffeo
    >>> transform = diffeo.build("elementwise", {"mixture_logistic": {"components": 2}})
    >>> params = torch.tensor([[0.0], [1.0], [0.0], [0.0], [-1.0], [1.0], [0.0], [0.0]])
    >>> y, log_derivative = transform(torch.zeros(1), params)
    >>> y, transform.inverse(y, params)[0].abs() < 1e-5
    (tensor([1.]), tensor([True]))
    """

    scale: Scale

    def __init__(self, config: MixtureLogistic) -> None:
        super().__init__(num_params=2 + 3 * config.components)
        self.capabilities = diffeo.Capabilities(context="all", inverse="iterative")
        self.scale = diffeo.make(config.scale, at="scale")
        self.components = config.components
        self.margin = config.margin
        self.min_log_scale = config.min_log_scale
        self.iterations = config.iterations

    def forward(
        self, x: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        log_scale, shift, mixture = self._parts(params)
        log_below, log_above, log_slope = self._log_probabilities(x, mixture)
        y = (log_below - log_above) * log_scale.exp() + shift
        return y, log_slope - log_below - log_above + log_scale

    def inverse(
        self, y: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]
    ) -> tuple[Float[Tensor, "*S"], Float[Tensor, "*S"]]:
        log_scale, shift, mixture = self._parts(params)
        below, above = self._tails((y - shift) * torch.exp(-log_scale))
        logit = below - above
        constant = Mixture(*(value.detach() for value in mixture))
        x = self._with_gradient(quantile(logit.detach(), constant, iterations=self.iterations), logit, mixture)
        log_below, log_above, log_slope = self._log_probabilities(x, mixture)
        return x, log_below + log_above - log_slope - log_scale

    def clipped(self, y: Float[Tensor, "*S"], params: Float[Tensor, " P *S"]) -> Bool[Tensor, "*S"]:
        """Where y is outside the image, so that ``inverse`` returns the end of the interval instead."""
        log_scale, shift, _ = self._parts(params)
        v = (y - shift) * torch.exp(-log_scale)
        if self.margin == 0:
            return torch.zeros_like(v, dtype=torch.bool)
        smaller = (torch.sigmoid(-v.abs()) - self.margin) / (1 - 2 * self.margin)
        return smaller < torch.finfo(v.dtype).eps

    def _parts(self, params: Tensor) -> tuple[Tensor, Tensor, Mixture]:
        raw, shift = params[0], params[1]
        logits, means, log_scales = params[2:].unflatten(0, (3, self.components)).unbind(0)
        log_scales = log_scales.clamp(self.min_log_scale, MAX_LOG_SCALE)
        return self.scale(raw), shift, Mixture(torch.log_softmax(logits, 0), means, log_scales)

    def _log_probabilities(self, x: Tensor, mixture: Mixture) -> LogTails:
        """log P, log(1 - P) and log P'."""
        tails = log_tails(x, mixture)
        if self.margin == 0:
            return tails
        inner = 1 - 2 * self.margin
        below, above = (torch.log(self.margin + inner * value.exp()) for value in tails[:2])
        return LogTails(below, above, tails.density + math.log(inner))

    def _tails(self, logit: Tensor) -> tuple[Tensor, Tensor]:
        """log F and log(1 - F), up to a common term, for logit P; clipped where there is a margin."""
        if self.margin == 0:
            return logit, torch.zeros_like(logit)
        smallest, inner = torch.finfo(logit.dtype).eps, 1 - 2 * self.margin
        sides = (((torch.sigmoid(side) - self.margin) / inner).clamp(smallest, 1.0).log() for side in (logit, -logit))
        below, above = sides
        return below, above

    def _with_gradient(self, x: Tensor, logit: Tensor, mixture: Mixture) -> Tensor:
        """x, with the derivatives of the x that solves log F(x) - log(1 - F(x)) = logit."""
        if not torch.is_grad_enabled():
            return x
        below, above, density = log_tails(x, mixture)
        slope = (density - below - above).detach().exp().clamp_min(torch.finfo(x.dtype).tiny ** 0.5)
        residual = below - above - logit
        return x - (residual - residual.detach()) / slope

    def extra_repr(self) -> str:
        return f"components={self.components}" + (f", margin={self.margin:g}" if self.margin else "")
