"""A step for each part of a split, as Flow++ treats the two halves between its couplings (Ho et al. 2019, arXiv:1902.00275).

B any batch shape.
"""

from jaxtyping import Float
from torch import Tensor, nn

import diffeo
from diffeo import Bijector, Capabilities
from diffeo_bijectors import Split
from diffeo_vflow.config import EachPart

__all__ = ["EachPartBijector"]

Shape = tuple[int, ...]


class EachPartBijector(Bijector):
    """Both parts of the event go through a bijector, each through its own.

        x = join(a, b),      y = join(f(a), g(b)),      log|det dy/dx| = log|det f'(a)| + log|det g'(b)|

    f and g are built from the same ``step`` and have parameters of their own. Back: both inverses.

    Shapes: whatever the split takes; the step keeps the shape of either part.

    Source: the order of layers in the code of Ho et al. 2019, arXiv:1902.00275.

    >>> import torch, diffeo
    >>> spec = {"each_part": {"split": "half", "step": {"scale_shift": {"scale": 2.0}}}}
    >>> y, log_det = diffeo.build("bijector", spec, shape=(4,))(torch.ones(4))
    >>> y.tolist(), round(log_det.item(), 4)
    ([2.0, 2.0, 2.0, 2.0], 2.7726)
    """

    split: Split

    def __init__(self, config: EachPart, shape: Shape, context_shape: Shape | None = None) -> None:
        super().__init__(shape, context_shape=context_shape)
        self.split = diffeo.make(config.split, self.in_shape, at="split")
        parts = (self.split.kept_shape, self.split.changed_shape)
        steps = [diffeo.make(config.step, part, self.context_shape, at="step") for part in parts]
        for part, step in zip(parts, steps, strict=True):
            if not step.is_exact or step.out_shape != part:
                got = "one that draws noise" if not step.is_exact else f"{part} to {step.out_shape}"
                raise ValueError(f"expected a bijector that keeps the shape of a part; got {got}")
        self.steps = nn.ModuleList(steps)
        self.capabilities = _capabilities([step.capabilities for step in steps])

    def forward(
        self, x: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        results = [step(part, context=context) for step, part in zip(self.steps, self._part(x), strict=True)]
        (kept, kept_log_det), (changed, changed_log_det) = results
        return self.split.join(kept, changed), kept_log_det + changed_log_det

    def inverse(
        self, y: Float[Tensor, "*B_event"], *, context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*B_event"], Float[Tensor, "*B"]]:
        first, second = (step for step in self.steps if isinstance(step, Bijector))
        kept, changed = self._part(y)
        kept, kept_log_det = first.inverse(kept, context=context)
        changed, changed_log_det = second.inverse(changed, context=context)
        return self.split.join(kept, changed), kept_log_det + changed_log_det

    def _part(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rank = len(self.in_shape)
        if x.dim() < rank or tuple(x.shape[x.dim() - rank :]) != self.in_shape:
            raise ValueError(
                f"expected an input of shape (*B, {', '.join(map(str, self.in_shape))}); got {tuple(x.shape)}"
            )
        return self.split.part(x)


def _capabilities(parts: list[Capabilities]) -> Capabilities:
    first = parts[0]
    return Capabilities(
        domain=first.domain,
        image=first.image,
        inverse=first.inverse,
        sequential_inverse=any(part.sequential_inverse for part in parts),
        context=first.context,
        preserves_volume=all(part.preserves_volume for part in parts),
        twice_differentiable=all(part.twice_differentiable for part in parts),
        batch_statistics=any(part.batch_statistics for part in parts),
        idle={f"steps.{index}.{name}": why for index, part in enumerate(parts) for name, why in part.idle.items()},
    )
