"""What a target has to return, tried before the first step."""

from typing import Any

import torch
from torch import Tensor

from diffeo.dataset import Target
from diffeo.distribution import Distribution

__all__ = ["check_target"]

_TRIED = 16
"""Draws: enough that a log-density which is finite for some draws of the first batches is finite for one of these."""


def check_target(target: Target, model: Any, dtype: torch.dtype) -> None:
    """Raise a ``ValueError`` unless ``log_prob`` gives a number for each draw of the model, and a gradient."""
    with torch.no_grad():
        start = model.sample((_TRIED,)) if isinstance(model, Distribution) else torch.randn(_TRIED, *target.event_shape)
    theta = start.to(dtype).requires_grad_()
    with torch.enable_grad():
        log_prob = _called(target, theta)
    if not isinstance(log_prob, Tensor):
        raise ValueError(f"expected log_prob to return a tensor; got {type(log_prob).__name__}")
    if tuple(log_prob.shape) != (_TRIED,):
        raise ValueError(
            f"expected log_prob of shape ({_TRIED},) for {_TRIED} draws of shape {target.event_shape}; "
            f"got {tuple(log_prob.shape)}: sum over the parameters, keep the batch"
        )
    if not bool(log_prob.isfinite().any()):
        got = "NaN" if bool(log_prob.isnan().all()) else f"none finite, {float(log_prob[0].detach()):g} for one"
        raise ValueError(
            f"expected a finite log_prob for some of {_TRIED} draws of the untrained model; got {got}: "
            "is it defined for every unconstrained theta, are the constraints right, do the data hold NaN?"
        )
    if not log_prob.requires_grad:
        raise ValueError(
            "expected log_prob to depend on theta through operations of torch; got one without a gradient: "
            "is it computed in numpy, or from detached tensors?"
        )


def _called(target: Target, theta: Tensor) -> Any:
    try:
        return target.log_prob(theta)
    except ValueError:
        raise
    except Exception as error:  # it is the user's code, which may raise anything
        raise ValueError(
            f"expected log_prob of {_TRIED} draws, theta of shape {tuple(theta.shape)}; "
            f"got {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
