"""Parameters with names, shapes and constraints as one unconstrained vector.

B any batch shape, D entries of the vector.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import biject_to, constraints
from torch.distributions.transforms import Transform, identity_transform

__all__ = ["ParameterLayout"]

Shape = tuple[int, ...]


class _Parameter(NamedTuple):
    shape: Shape
    """Of the parameter as the user writes it."""
    free_shape: Shape
    """Of its unconstrained entries; a simplex has one less than it has parts."""
    transform: Transform
    """From unconstrained entries to the parameter."""


class ParameterLayout:
    """Where named parameters stand in theta, a vector of R^D, and how their constraints are undone.

        theta = (theta_1, ..., theta_n)        value_i = t_i(theta_i)        log_det = sum_i log|det dt_i / dtheta_i|

    ``parameters`` maps a name to a shape (``(3,)``, ``3``, ``()``), or to a pair of a shape and a constraint: one of
    ``torch.distributions.constraints`` (``positive`` goes through exp, as ``biject_to`` says) or a transform from the
    real line, such as ``transforms.SoftplusTransform()``. The vector holds them in the order of the mapping.

    >>> from torch.distributions import constraints
    >>> layout = ParameterLayout({"slope": 2, "sd": ((), constraints.positive)})
    >>> values, log_det = layout.constrain(torch.tensor([0.5, -0.5, 0.0]))
    >>> values["sd"], log_det
    (tensor(1.), tensor(0.))
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        if not parameters:
            raise ValueError("expected at least one parameter; got none")
        self._parameters = {name: _parameter(name, given) for name, given in parameters.items()}
        self._sizes = [_size(one.free_shape) for one in self._parameters.values()]

    @property
    def dim(self) -> int:
        """D, the number of unconstrained entries."""
        return sum(self._sizes)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each parameter."""
        return {name: one.shape for name, one in self._parameters.items()}

    def constrain(self, theta: Float[Tensor, "*B D"]) -> tuple[dict[str, Tensor], Float[Tensor, "*B"]]:
        """The parameters by name, ``(*B, *shape)``, and log|det d parameters / d theta|."""
        batch, log_det = theta.shape[:-1], torch.zeros_like(theta[..., 0])
        parts = theta.split(self._sizes, dim=-1)
        values: dict[str, Tensor] = {}
        for part, (name, one) in zip(parts, self._parameters.items(), strict=True):
            free = part.reshape((*batch, *one.free_shape))
            value: Any = one.transform(free)
            values[name] = value
            if one.transform is not identity_transform:
                term = one.transform.log_abs_det_jacobian(free, value)
                log_det = log_det + _flat(term, len(batch)).sum(-1)
        return values, log_det

    def unconstrain(self, values: Mapping[str, Tensor]) -> Float[Tensor, "*B D"]:
        """The theta of given parameters, which must lie inside their constraints."""
        parts: list[Tensor] = []
        for name, one in self._parameters.items():
            value = values[name]
            parts.append(_flat(cast(Tensor, one.transform.inv(value)), value.dim() - len(one.shape)))
        return torch.cat(parts, dim=-1)

    def flatten(self, values: Mapping[str, Tensor]) -> Tensor:
        """The parameters side by side in one vector, in their order."""
        rows = [(values[name], len(one.shape)) for name, one in self._parameters.items()]
        return torch.cat([_flat(value, value.dim() - rank) for value, rank in rows], dim=-1)

    def __repr__(self) -> str:
        return ", ".join(f"{name} {one.shape}" for name, one in self._parameters.items())


def _size(shape: Shape) -> int:
    return math.prod(shape)


def _flat(values: Tensor, batch_dims: int) -> Tensor:
    """``(*B, *shape)`` -> ``(*B, entries)``."""
    batch, shape = values.shape[:batch_dims], values.shape[batch_dims:]
    return values.reshape((*batch, _size(shape)))


def _parameter(name: str, given: Any) -> _Parameter:
    if isinstance(given, Sequence):
        items = list(cast(Sequence[Any], given))
        if len(items) == 2 and not isinstance(items[1], int):
            return _with_constraint(name, _shape(name, items[0]), items[1])
    shape = _shape(name, given)
    return _Parameter(shape, shape, identity_transform)


def _shape(name: str, given: Any) -> Shape:
    items: list[Any] = [given] if isinstance(given, int) else list(given) if _is_list(given) else [None]
    if not all(isinstance(size, int) and size > 0 for size in items):
        raise ValueError(
            f"parameter {name!r}: expected a shape such as (3,) or (), or a pair of a shape and a constraint; got {given!r}"
        )
    return tuple(items)


def _is_list(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str)


def _with_constraint(name: str, shape: Shape, given: Any) -> _Parameter:
    transform = given if isinstance(given, Transform) else _transform(name, given)
    if not transform.bijective or not _starts_at_the_real_line(transform):
        raise ValueError(
            f"parameter {name!r}: expected a one-to-one transform from the real line; got {transform} from {transform.domain}"
        )
    try:
        free_shape = tuple(transform.inverse_shape(shape))
        value = cast(Tensor, transform(torch.zeros(free_shape)))
    except (ValueError, RuntimeError) as error:
        raise _does_not_fit(name, shape, given, str(error)) from error
    if tuple(value.shape) != shape:
        raise _does_not_fit(name, shape, given, f"it makes {tuple(value.shape)} of {free_shape}")
    return _Parameter(shape, free_shape, transform)


def _transform(name: str, given: Any) -> Transform:
    wanted = f"parameter {name!r}: expected a constraint of torch.distributions on continuous values, or a transform"
    if not isinstance(given, constraints.Constraint):
        raise ValueError(f"{wanted}; got {given!r}")
    try:
        transform: Transform = biject_to(given)
    except NotImplementedError as error:
        raise ValueError(f"{wanted}; got {given}, which no transform leads to") from error
    return transform


def _starts_at_the_real_line(transform: Transform) -> bool:
    domain = transform.domain
    while isinstance(domain, constraints.independent):
        domain = domain.base_constraint
    return domain is constraints.real


def _does_not_fit(name: str, shape: Shape, given: Any, reason: str) -> ValueError:
    return ValueError(f"parameter {name!r}: expected a shape that {given} fits; got {shape}: {reason}")
