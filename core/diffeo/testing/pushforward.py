"""Densities for the law of augmenters, one for each way in which y may be made of x."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions.transforms import ExpTransform, SigmoidTransform, Transform, identity_transform

from diffeo.augmenter import Augmenter
from diffeo.testing.augmenters import CorrelatedNormal, check_augmenter_law
from diffeo.testing.reporting import expect

__all__ = ["check_unbiased"]

STANDARD_ERRORS = 4.0
TO_REAL: dict[str, Transform] = {
    "real": identity_transform,
    "positive": ExpTransform().inv,
    "unit": SigmoidTransform().inv,
}
"""From a domain to the real line."""
SPREAD = 20.0
"""Standard deviation of the density that integers are weighed by: wide enough to give every test point a share."""


def check_unbiased(augmenter: Augmenter, x: Tensor, *, context: Tensor | None = None, draws: int = 40_000) -> None:
    """E[p(y) exp(log_weight)] is the density of x that p induces, within 4 standard errors.

    * Integers, y in [x, x + 1): p is a product of normals, so that the probability of each cell is known.
    * y = (x, z): p is a normal with correlations, whose marginal of x is known. Point by point.
    * Any other: p is standard normal, and what it induces is only sampled, so the law is checked under the integral: for test
      functions h and a proposal r over the domain,  E_r E[p(y) exp(w) h(x) / r(x)] = E_p h(strip(y)).
    """
    if augmenter.capabilities.domain == "integers" and augmenter.in_shape == augmenter.out_shape:
        check_augmenter_law(augmenter, x, _log_normal(augmenter), _log_cells(augmenter), context=context, draws=draws)
    elif _appends(augmenter, x, context):
        log_p = _normal_around(augmenter, x, context)
        log_density, log_induced = (
            _flattened(log_p, len(shape)) for shape in (augmenter.out_shape, augmenter.in_shape)
        )
        check_augmenter_law(augmenter, x, log_density, log_induced, context=context, draws=draws)
    else:
        _check_under_integral(augmenter, None if context is None else context[0], draws)


@torch.no_grad()
def _appends(augmenter: Augmenter, x: Tensor, context: Tensor | None) -> bool:
    """Whether y begins with x as it is, and goes on."""
    y, size = augmenter.augment(x, context=context)[0].flatten(1), torch.Size(augmenter.in_shape).numel()
    return y.shape[1] > size and torch.equal(y[:, :size], x.flatten(1))


@torch.no_grad()
def _normal_around(augmenter: Augmenter, x: Tensor, context: Tensor | None) -> Callable[[Tensor], Tensor]:
    """log p of flat y, or of the leading entries that are flat x: a normal where the augmenter puts what it appends.

    Half as wide as q(z | x), so that p / q is bounded and its mean can be estimated, whatever q is.
    """
    conditions = None if context is None else context.expand(1000, *context.shape)
    y = augmenter.augment(x.expand(1000, *x.shape), context=conditions)[0].double().flatten(2)
    normal, given = CorrelatedNormal(y.shape[-1]), torch.Size(augmenter.in_shape).numel()
    middle, width = y.mean((0, 1)), 0.5 * y.std(0).amin(0)
    middle[:given], width[:given] = 0.0, 1.0

    def log_density(values: Tensor) -> Tensor:
        k = values.shape[-1]
        return normal.marginal((values - middle[:k]) / width[:k]) - width[:k].log().sum()

    return log_density


def _flattened(log_density: Callable[[Tensor], Tensor], event_dims: int) -> Callable[[Tensor], Tensor]:
    return lambda y: log_density(y.flatten(y.dim() - event_dims))


def _log_normal(augmenter: Augmenter) -> Callable[[Tensor], Tensor]:
    normal, dims = torch.distributions.Normal(0.0, SPREAD), tuple(range(-len(augmenter.out_shape), 0))
    return lambda y: normal.log_prob(y).sum(dims)


def _log_cells(augmenter: Augmenter) -> Callable[[Tensor], Tensor]:
    normal, dims = torch.distributions.Normal(0.0, SPREAD), tuple(range(-len(augmenter.in_shape), 0))
    return lambda x: (normal.cdf(x.double() + 1) - normal.cdf(x.double())).log().sum(dims)


@torch.no_grad()
def _check_under_integral(augmenter: Augmenter, context: Tensor | None, draws: int) -> None:
    conditions = None if context is None else context.expand(draws, *context.shape)
    dims = tuple(range(-len(augmenter.out_shape), 0))
    standard = torch.distributions.Normal(0.0, 1.0)
    target = augmenter.strip(torch.randn(draws, *augmenter.out_shape, dtype=torch.float64), context=conditions)
    x, log_r = _proposed(target, TO_REAL[augmenter.capabilities.domain], draws)
    y, log_weight = augmenter.augment(x, context=conditions)
    log_r = log_r.sum(tuple(range(-len(augmenter.in_shape), 0)))
    weights = (standard.log_prob(y).sum(dims) + log_weight - log_r).exp()
    for name, function in (("1", torch.ones_like), ("cos x", torch.cos), ("sin x", torch.sin), ("tanh 2x", _steep)):
        left = weights * function(x).flatten(1).mean(1)
        right = function(target).flatten(1).mean(1)
        error = float((left.var() / draws + right.var() / draws).sqrt())
        got, expected = float(left.mean()), float(right.mean())
        where = f"for h = {name}, standard error {error:.3g} with {draws} draws"
        expect("augmenter law", error < 0.05, f"too few draws to tell: {where}")
        holds = abs(got - expected) <= STANDARD_ERRORS * error + 1e-9
        expect("augmenter law", holds, f"expected {expected:.6g}; got {got:.6g}, more than 4 standard errors; {where}")


def _proposed(target: Tensor, to_real: Transform, draws: int) -> tuple[Tensor, Tensor]:
    """Draws over the domain and their log-densities, entry by entry.

    On the real line they have wider tails than the target: then the weights have a finite variance.
    """
    real: Tensor = to_real(target)  # type: ignore[assignment] - torch leaves it unannotated
    proposal = torch.distributions.StudentT(4.0, real.mean(0), 1.5 * real.std(0) + 1e-3)
    t = proposal.sample((draws,))
    x: Tensor = to_real.inv(t)  # type: ignore[assignment]
    return x, proposal.log_prob(t) + to_real.log_abs_det_jacobian(x, t)


def _steep(x: Tensor) -> Tensor:
    return (2 * x).tanh()
