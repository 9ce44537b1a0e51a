"""Building what a file asks for, as far as the tensors in the file justify it.

A hundred bytes can ask for a layer of 10^9 units, or for 10^9 layers. The first is refused before torch allocates it, by the
size of what each of its functions would return; the second is stopped by counting what modules register.

The model is not built on torch's meta device, where tensors have shapes and no data: arithmetic there imports torch's
compiler, which takes a second and 70 MB at first use, and constructors that read values of tensors would fail.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.overrides import TorchFunctionMode

from diffeo_registry import DiffeoError

__all__ = ["SPARE_BYTES", "build_bounded"]

Shape = tuple[int, ...]

FREE_PARTS = 5000
"""Modules and tensors that need no tensor in the file. A step without parameters registers one to four, so a flow may have
over a thousand of them; building as many of the smallest takes 0.2 s."""

PARTS_PER_TENSOR = 8
"""Modules and tensors that each tensor of the file allows on top; the recipes register 1.2 to 1.5 (lists, activations)."""

SPARE_BYTES = 48 * 2**20
"""Memory of a model that is not in its file, on top of as much as the file has: masks, tables of constants. A matrix for
vectors of 3072 entries takes 36 MiB."""

PARAMETER_WEIGHT = 8
"""A parameter that is not in the file counts as this many times its size: it has no business there, and what follows
(random initialisation, an orthogonal one at worst) takes 0.2 s for the 6 MiB that are left to it."""

SQUARES = ("diag", "diag_embed", "diagflat")
"""Functions that make n^2 entries of n."""


def build_bounded(build: Callable[[], nn.Module], shapes: Mapping[str, Shape], data_size: int) -> nn.Module:
    """What ``build`` makes; ``DiffeoError`` as soon as it takes more than a file can justify.

    ``shapes`` are those of the tensors in the file by name, ``data_size`` is their size in bytes. At most twice that size is
    taken, and three times ``SPARE_BYTES``.
    """
    limit = data_size + SPARE_BYTES
    with _registrations_limited(_Allowance(shapes, limit)), _ResultsLimited(limit):
        return build()


class _Allowance:
    """What may still be registered: every tensor that is in the file adds some parts, everything else takes one.

    A tensor is in the file if one there has its shape and the last part of its name, all that it has while it is built.
    """

    def __init__(self, shapes: Mapping[str, Shape], num_bytes: int) -> None:
        self._count = len(shapes)
        self._in_file = Counter((name.rpartition(".")[2], shape) for name, shape in shapes.items())
        self._parts = FREE_PARTS
        self._limit = self._bytes = num_bytes
        self._thread = threading.get_ident()

    def take(self, owner: nn.Module, name: str, part: Any) -> None:
        """A hook for whatever is registered; it is called for the modules of every thread."""
        if threading.get_ident() != self._thread:
            return
        if isinstance(part, Tensor) and self._in_file[name, tuple(part.shape)]:
            self._in_file[name, tuple(part.shape)] -= 1
            self._parts = min(self._parts + PARTS_PER_TENSOR, FREE_PARTS)
            return
        self._parts -= 1
        if self._parts < 0:
            raise DiffeoError(
                f"expected a model of the {self._count} tensors in the file; got one with thousands of parts more"
            )
        if isinstance(part, Tensor):
            self._bytes -= part.nbytes * (PARAMETER_WEIGHT if isinstance(part, nn.Parameter) else 1)
            if self._bytes < 0:
                raise DiffeoError(
                    f"expected tensors that are in the file, or at most {self._limit} bytes of others; "
                    f"got {name!r} of shape {tuple(part.shape)}"
                )


@contextmanager
def _registrations_limited(allowance: _Allowance) -> Generator[None]:
    handles = [
        registration.register_module_module_registration_hook(allowance.take),
        registration.register_module_parameter_registration_hook(allowance.take),
        registration.register_module_buffer_registration_hook(allowance.take),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _ResultsLimited(TorchFunctionMode):
    """No function of torch returns more than ``limit`` bytes.

    Nearly none returns more entries than the product of all sizes and integers it is given. Only where that is too many, the
    function is tried on the meta device first; one that cannot run there reads values, and is let through.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._may_be_large(func, (*args, *kwargs.values())):
            result = _on_meta(func, args, kwargs)
            if isinstance(result, Tensor) and result.nbytes > self._limit:
                raise DiffeoError(
                    f"expected tensors of at most {self._limit} bytes, by the size of the file; "
                    f"got one of shape {tuple(result.shape)}"
                )
        return func(*args, **kwargs)

    def _may_be_large(self, func: Any, values: tuple[Any, ...]) -> bool:
        name: str = getattr(func, "__name__", "")
        if func in STAND_INS:
            return True
        if name.endswith("_") and not name.endswith("__"):  # in place
            return False
        entries = self._limit // 8
        return _product(values, entries) ** (2 if name in SQUARES else 1) > entries


def _product(values: Iterable[Any], enough: int) -> int:
    """The product of the integers and the tensors' entries among ``values``, not pursued beyond ``enough``.

    One more for every tensor, so that the product is at least the sum.
    """
    product = 1
    for value in values:
        if isinstance(value, Tensor):
            product *= value.numel() + 1
        elif isinstance(value, int):
            product *= max(1, abs(value))
        elif isinstance(value, list | tuple):
            product *= _product(cast(list[Any], value), enough)
        if product > enough:
            break
    return product


def _on_meta(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What a function returns, without its data; None if that cannot be told."""
    options = {name: _moved(value) for name, value in kwargs.items() if name not in ("device", "generator")}
    stand_in: Any = STAND_INS.get(func, func)
    try:
        with torch.device("meta"):
            return stand_in(*_moved(args), **options)
    except Exception:
        return None


def _moved(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_moved(inner) for inner in cast(list[Any], value)]
    return value.to("meta") if isinstance(value, Tensor) else value


def _empty_range(start: float, end: float | None = None, step: float = 1, **options: Any) -> Tensor:
    first, last = (0, start) if end is None else (start, end)
    return torch.empty(math.ceil((last - first) / step), dtype=options.get("dtype") or torch.int64)


def _empty_matrix(rows: int, columns: int | None = None, **options: Any) -> Tensor:
    return torch.empty(rows, rows if columns is None else columns, **options)


STAND_INS: dict[Any, Callable[..., Tensor]] = {
    torch.arange: _empty_range,
    torch.eye: _empty_matrix,
    torch.rand: torch.empty,
    torch.randn: torch.empty,
}
"""Functions whose results have a size that is not the product, or that import torch's compiler on the meta device; and what
makes a result of the same size there."""
