"""Any function of the parameters as a target.

B any batch shape, D entries of theta.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo.dataset import Target
from diffeo.parameter_layout import ParameterLayout

__all__ = ["CallableTarget"]


class CallableTarget(Target):
    """An unnormalised log-density that Python gives, for ``diffeo.train(spec, data=target)``.

        log_prob(theta) = log_density(constrained theta) + log|det d constrained / d theta|

    * ``CallableTarget(f, dim=3)``: f is given vectors ``(*B, 3)``; with ``constraint`` all their entries obey it.
    * ``CallableTarget(f, parameters={"slope": 2, "sd": ((), constraints.positive)})``: f is given a dictionary of
      parameters ``(*B, *shape)``; shapes and constraints as in ``ParameterLayout``. A model written with distributions
      gives both: ``(prior.batch_shape + prior.event_shape, prior.support)``.

    f works on a batch and returns ``*B``. With ``vectorize`` it is given one draw at a time, returns a scalar, and
    ``torch.func.vmap`` does the rest (under it distributions need ``validate_args=False``). ``log_marginal`` is the
    log-normaliser where it is known.

    >>> from torch.distributions import Gamma, constraints
    >>> gamma = Gamma(2.0, 1.0)
    >>> target = CallableTarget(lambda x: gamma.log_prob(x).sum(-1), dim=1, constraint=constraints.positive, log_marginal=0)
    >>> target.log_prob(torch.zeros(5, 1))
    tensor([-1., -1., -1., -1., -1.])
    """

    def __init__(
        self,
        log_density: Callable[[Any], Tensor],
        *,
        dim: int | None = None,
        constraint: Any = None,
        parameters: Mapping[str, Any] | None = None,
        log_marginal: float | None = None,
        vectorize: bool = False,
    ) -> None:
        if (dim is None) == (parameters is None) or (constraint is not None and dim is None):
            raise ValueError(
                "expected dim, with a constraint or without one, or parameters; "
                f"got dim={dim!r}, constraint={constraint!r}, parameters={parameters!r}"
            )
        self.takes_vector = parameters is None
        whole = (dim,) if constraint is None else ((dim,), constraint)
        layout = ParameterLayout({"theta": whole} if parameters is None else parameters)
        super().__init__((layout.dim,))
        self.layout = layout
        self.log_density = log_density
        self.log_marginal = log_marginal
        self.vectorize = vectorize

    def log_prob(self, theta: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        values, log_det = self.layout.constrain(theta)
        given: Any = values["theta"] if self.takes_vector else values
        log_density = self._one_by_one(theta) if self.vectorize else self.log_density(given)
        return self._checked(log_density, theta.shape[:-1]) + log_det

    def constrain(self, theta: Float[Tensor, "*B D"]) -> Tensor:
        return self.layout.flatten(self.by_name(theta))

    def by_name(self, theta: Float[Tensor, "*B D"]) -> dict[str, Tensor]:
        return self.layout.constrain(theta)[0]

    def _one_by_one(self, theta: Tensor) -> Tensor:
        def one(row: Tensor) -> Tensor:
            values, _ = self.layout.constrain(row)
            return self._checked(self.log_density(values["theta"] if self.takes_vector else values), ())

        batch = theta.shape[:-1]
        return torch.func.vmap(one)(theta.reshape(-1, theta.shape[-1])).reshape(batch)

    def _checked(self, log_density: Any, batch: tuple[int, ...]) -> Tensor:
        name = getattr(self.log_density, "__name__", type(self.log_density).__name__)
        if not isinstance(log_density, Tensor):
            raise ValueError(f"expected a tensor from {name}; got {type(log_density).__name__}")
        if tuple(log_density.shape) != tuple(batch):
            advice = "return a scalar" if self.vectorize else "sum over the parameters, keep the batch"
            raise ValueError(
                f"expected {name} to return one number a draw, shape {tuple(batch)}; got {tuple(log_density.shape)}: {advice}"
            )
        return log_density

    def extra_repr(self) -> str:
        return f"{getattr(self.log_density, '__name__', type(self.log_density).__name__)}: {self.layout}"
