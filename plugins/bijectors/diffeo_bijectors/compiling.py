"""Compile the elementwise transforms of a model, and nothing else of it."""

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import nn

from diffeo_bijectors.elementwise import Elementwise

__all__ = ["compile_elementwise"]


def compile_elementwise(model: nn.Module, *, backend: str = "inductor") -> nn.Module:
    """Compile every elementwise transform inside ``model``, in both directions, in place; returns the model.

    A spline is many small operations, which compile into one or two kernels, while the networks around it gain little.
    Layers with the same transform share what was compiled: a few seconds for a model of any depth, once per direction and
    whether gradients are wanted. To compile a whole training step instead, use the trainer's ``compile``.

    >>> import diffeo, torch
    >>> flow = diffeo.build("model", {"flow": {"steps": [{"coupling": {"transform": "rq_spline"}}]}}, shape=(4,))
    >>> compile_elementwise(flow, backend="eager").sample((5,)).shape
    torch.Size([5, 4])
    """
    compiled: dict[type[Elementwise], list[Callable[..., Any]]] = {}
    for module in model.modules():
        if isinstance(module, Elementwise):
            kind = type(module)
            if kind not in compiled:
                compiled[kind] = [
                    torch.compile(function, fullgraph=True, backend=backend)
                    for function in (kind.forward, kind.inverse)
                ]
            forward, inverse = compiled[kind]
            module.forward = MethodType(forward, module)
            module.inverse = MethodType(inverse, module)
    return model
