"""Cross-unit coupling (Grcic, Grubisic and Segvic 2021, arXiv:2106.04627, section 3.1).

B any batch shape, C_i channels of the representation z_i, k appended ones.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo import Augmenter, BuildError, Capabilities
from diffeo_denseflow.config import CrossUnit
from diffeo_vflow import ConditionedDraw

__all__ = ["CrossUnitAugmenter"]

Shape = tuple[int, ...]


class CrossUnitAugmenter(Augmenter):
    """Units in a row; in front of each but the first, k dimensions of noise that depend on what earlier units returned.

        z_0 = x,   z_1 = f_1(z_0),   z_(i+1) = f_(i+1)(z_i, e_i),   e_i ~ q_i(e | z_0, ..., z_(i-1))         i = 1, ..., n - 1

        augment   y = z_n         log_weight = sum log|det df_i| - sum log q_i(e_i | z_0, ..., z_(i-1))           (eq. 9)
        strip     back through the units, the last k dimensions dropped in front of each: the q are not needed

    Each z_j with j < i is a function of z_i, so q_i may depend on all of them, and E[p(y) exp(log_weight)] is the density of x.
    With q the default, e = loc + exp(s) * noise with loc and s from a network of z_0, ..., z_(i-1), stacked along the first
    dimension.

    q is the component in the slot ``distribution``: any distribution with an exact density. It gets the stack as its context, and
    beside it the outer context where there is one: concatenated along the first dimension, a vector at every pixel of an image.

    Shapes: x ``(*B, C, ...)`` to y ``(*B, C + (n - 1) k, ...)``, any rank from 1, if units keep their shape. They may change
    the first dimension, not the others. Numerics: those of the parts; what is appended is dropped again, to the bit.

    Source: Grcic, Grubisic and Segvic 2021, arXiv:2106.04627, section 3.1, equations 7 to 9; that z_i itself is not among the
    conditions of e_i is from its equations.

    >>> import torch, diffeo
    >>> normal = {"conditional_normal": {"network": "mlp"}}
    >>> spec = {"cross_unit": {"units": 3, "growth": 2, "steps": ["actnorm", "lu_linear"], "distribution": normal}}
    >>> layer = diffeo.build("augmenter", spec, shape=(4,))
    >>> y, log_weight = layer.augment(torch.randn(5, 4))
    >>> y.shape, log_weight.shape
    (torch.Size([5, 8]), torch.Size([5]))
    """

    def __init__(self, config: CrossUnit, shape: Shape, context_shape: Shape | None = None) -> None:
        if not shape:
            raise ValueError("expected an event with at least one dimension, for noise to be appended to; got shape ()")
        first, *rest = shape
        units, noise, sizes = list[nn.Module](), list[nn.Module](), [first]
        for index in range(config.units):
            entries = sizes[-1] + (config.growth if index else 0)
            unit, out_shape = _unit(config.steps, (entries, *rest), context_shape, index, config.units)
            if index:
                given = (sum(sizes[:-1] if config.reads == "all" else sizes[-2:-1]), *rest)
                appended = (config.growth, *rest)
                draw = ConditionedDraw(config.distribution, None, appended, given=given, context_shape=context_shape)
                noise.append(draw)
            units.append(unit)
            sizes.append(out_shape[0])
        super().__init__(shape, (sizes[-1], *rest), context_shape)
        self.reads, self.growth = config.reads, config.growth
        self.units, self.noise = nn.ModuleList(units), nn.ModuleList(noise)
        self.capabilities = self._capabilities()

    def augment(
        self, x: Float[Tensor, "*B_in"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_out"], Float[Tensor, "*B"]]:
        rank = len(self.in_shape)
        total = x.new_zeros(x.shape[: x.dim() - rank])
        seen: list[Tensor] = []
        for index, unit in enumerate(self.units):
            before = x
            if index:
                e, log_q = self.noise[index - 1](torch.cat(seen, -rank), context)
                x, total = torch.cat([x, e], -rank), total - log_q
            for step in _steps(unit):
                x, log_weight = diffeo.call_step(step.augment, x, context, step=step, recompute=step.recompute)
                total = total + log_weight
            seen = [*seen, before] if self.reads == "all" else [before]
        return x, total

    def strip(self, y: Float[Tensor, "*B_out"], *, context: Tensor | None = None) -> Float[Tensor, "*B_in"]:
        rank = len(self.in_shape)
        for index in reversed(range(len(self.units))):
            for step in reversed(list(_steps(self.units[index]))):
                y = step.strip(y, context=context)
            if index:
                y = y.narrow(-rank, 0, y.shape[-rank] - self.growth)
        return y

    def extra_repr(self) -> str:
        return f"{self.in_shape} -> {self.out_shape}, growth={self.growth}, reads={self.reads!r}"

    def _capabilities(self) -> Capabilities:
        steps = {f"units.{i}.{j}.": step for i, unit in enumerate(self.units) for j, step in enumerate(_steps(unit))}
        draws = {f"noise.{i}.distribution.": cast(Any, draw).distribution for i, draw in enumerate(self.noise)}
        parts = {prefix: part.capabilities for prefix, part in (steps | draws).items()}
        moved = self.context_shape is not None and any(part.context != "none" for part in parts.values())
        return Capabilities(
            domain=next(iter(steps.values())).capabilities.domain if steps else "real",
            exact_strip=False,
            context="some" if moved else "none",
            batch_statistics=any(part.batch_statistics for part in parts.values()),
            idle={prefix + name: reason for prefix, part in parts.items() for name, reason in part.idle.items()},
        )


def _unit(
    configs: Sequence[Any], shape: Shape, context_shape: Shape | None, index: int, units: int
) -> tuple[nn.ModuleList, Shape]:
    """The steps of one unit, each built on the shape that the one before it leaves, and the last of these shapes."""
    steps, current = nn.ModuleList(), shape
    try:
        for place, config in enumerate(configs):
            step: Augmenter = diffeo.make(config, current, context_shape, at=("steps", place))
            steps.append(step)
            current = step.out_shape
    except BuildError as error:
        raise BuildError(f"{error.message} (unit {index + 1} of {units})", error.path) from error.__cause__
    if len(current) != len(shape) or current[1:] != shape[1:]:
        raise BuildError(
            f"expected units that change the first dimension at most; got {shape} to {current} (unit {index + 1} of {units})"
        )
    return steps, current


def _steps(unit: nn.Module) -> Iterator[Augmenter]:
    return iter(cast("Sequence[Augmenter]", unit))
