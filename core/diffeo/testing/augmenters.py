"""The law of an augmenter, by Monte Carlo; and that what is stripped is what was augmented."""

from collections.abc import Callable

import torch
from torch import Tensor

from diffeo.augmenter import Augmenter
from diffeo.testing.reporting import expect, expect_close, expect_equal, expect_finite

__all__ = ["CorrelatedNormal", "check_augmenter_law", "check_strip"]

Shape = tuple[int, ...]
STANDARD_ERRORS = 4.0


class CorrelatedNormal:
    """A normal density over vectors with a random covariance, whose marginals over leading entries are known exactly.

    What an augmenter that appends entries to x needs: ``log_prob`` for y, ``marginal`` for x.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        factor = torch.eye(size, dtype=torch.float64)
        factor = factor + 0.4 * torch.randn(size, size, generator=generator, dtype=torch.float64)
        self.covariance = factor @ factor.mT + 0.2 * torch.eye(size, dtype=torch.float64)
        self.mean = 0.3 * torch.randn(size, generator=generator, dtype=torch.float64)

    def log_prob(self, y: Tensor) -> Tensor:
        """log p(y) for y of ``(*B, size)``."""
        return self.marginal(y)

    def marginal(self, x: Tensor) -> Tensor:
        """log p of the leading entries: x of ``(*B, k)`` with k up to the size."""
        k = x.shape[-1]
        normal = torch.distributions.MultivariateNormal(self.mean[:k], self.covariance[:k, :k])
        return normal.log_prob(x)


@torch.no_grad()
def check_augmenter_law(
    augmenter: Augmenter,
    x: Tensor,
    log_density: Callable[[Tensor], Tensor],
    log_induced: Callable[[Tensor], Tensor],
    *,
    context: Tensor | None = None,
    draws: int = 20_000,
    seed: int = 0,
) -> None:
    """E[p(y) exp(log_weight)] is the density of x that p induces, within 4 standard errors for every row of x.

    ``log_density`` is log p over y, normalised; ``log_induced`` is log of the density (or probability) of x. A standard
    error above 5% of the expected value means too few draws for the check to say anything, which is an error too.
    """
    many = x.expand(draws, *x.shape)
    conditions = None if context is None else context.expand(draws, *context.shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        y, log_weight = augmenter.augment(many, context=conditions)
    weights = (log_density(y) + log_weight).exp()
    mean, error = weights.mean(0), weights.std(0) / draws**0.5
    expected = log_induced(x).exp()
    for row in range(len(x)):
        at = f"x = {x[row].tolist()}, standard error {float(error[row]):.3g} with {draws} draws"
        expect("augmenter law", bool(error[row] < 0.05 * expected[row]), f"too few draws to tell: {at}")
        distance = float((mean[row] - expected[row]).abs())
        # The second term is for weights that do not vary, where only rounding is left.
        holds = distance <= STANDARD_ERRORS * float(error[row]) + 1e-9 * float(expected[row])
        got = f"expected {float(expected[row]):.6g}; got {float(mean[row]):.6g}"
        expect("augmenter law", holds, f"{got}, more than {STANDARD_ERRORS:g} standard errors apart; {at}")


def check_strip(augmenter: Augmenter, x: Tensor, *, context: Tensor | None = None) -> None:
    """``strip(augment(x)[0])`` equals x; shapes are those promised, for flat, shaped and empty batches.

    To the bit, or to 1e-9 where the augmenter's capabilities say that it rounds.
    """
    for batch in ((), (len(x),), (1, len(x)), (0,)):
        count = torch.Size(batch).numel()
        rows = x[:count].reshape(*batch, *x.shape[1:])
        condition = None if context is None else context[:count].reshape(*batch, *context.shape[1:])
        y, log_weight = augmenter.augment(rows, context=condition)
        law, event = f"strip of augment (batch {batch})", (*batch, *augmenter.out_shape)
        expect(law, y.shape == event, f"expected y of shape {event}; got {tuple(y.shape)}")
        expect(law, log_weight.shape == batch, f"expected a log-weight of shape {batch}; got {tuple(log_weight.shape)}")
        expect_finite(law, log_weight)
        back = augmenter.strip(y, context=condition).to(rows.dtype)
        if augmenter.capabilities.exact_strip:
            expect_equal(law, back, rows)
        else:
            expect_close(law, back, rows, atol=1e-9, rtol=1e-9)
