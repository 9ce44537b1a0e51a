"""Codes: the first latents of a flow, as a file and as what the flow makes of them.

Dimensions: N examples, k latents kept, L latents of the flow.
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

import diffeo
from diffeo.flow_model import FlowModel
from diffeo_registry import DiffeoError

__all__ = ["AT_ONCE", "Codes", "decode_codes", "load_flow", "read_codes", "write_codes"]

AT_ONCE = 500
"""Examples per call of the flow: bounds memory however many there are."""


class Codes(NamedTuple):
    """What stands in the file."""

    codes: Tensor
    """(N, k), the first latents in the flow's own order: the deepest level of a multi-scale flow comes first."""
    num_latents: int
    """L, of which the others are 0 when the codes are decoded."""
    context: Tensor | None = None
    """(N, *context_shape), for a flow that takes one."""
    y: Tensor | None = None
    """Labels (N,), where the data have them."""


def load_flow(path: Path) -> FlowModel:
    """The flow of a run folder or a weights file, if it can decode."""
    flow = diffeo.load(path)
    if not isinstance(flow, FlowModel):
        raise DiffeoError(f"{path}: expected a flow, whose latents are codes; got {type(flow).__name__}")
    if flow.capabilities.inverse == "none":
        raise DiffeoError(f"{path}: expected a flow with an inverse, to decode codes with; got one without")
    return flow


def decode_codes(flow: FlowModel, codes: Tensor, context: Tensor | None) -> Tensor:
    """The continuous points of codes ``(B, k)``, all further latents 0: ``(B, *event_shape)``."""
    missing = math.prod(flow.latent_shape) - codes.shape[1]
    return flow.decode(pad(codes, (0, missing)).unflatten(1, flow.latent_shape), context=context)


def write_codes(codes: Codes, path: Path) -> None:
    """Write a .npz; what is None is left out."""
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in codes._asdict().items() if value is not None}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_codes(path: Path, flow: FlowModel) -> Codes:
    """Read what ``write_codes`` wrote, in the dtype of a flow that it has to fit."""
    arrays = _read(path)
    missing = [name for name in ("codes", "num_latents") if name not in arrays]
    if missing:
        raise DiffeoError(f"{path}: expected the arrays 'codes' and 'num_latents'; got no {missing[0]!r}")
    codes, of = arrays["codes"], arrays["num_latents"]
    num_latents = math.prod(flow.latent_shape)
    if of.shape != () or of != num_latents:
        got = f"codes of one with {of}" if of.shape == () else f"{of.shape} numbers"
        raise DiffeoError(f"{path}: expected codes of this flow, which has {num_latents} latents; got {got}")
    if codes.ndim != 2 or not 1 <= codes.shape[1] <= num_latents or not len(codes):
        raise DiffeoError(f"{path}: expected codes (N, k) with k up to {num_latents}; got shape {codes.shape}")
    context = arrays.get("context")
    _require_context(path, flow, None if context is None else context.shape, len(codes))
    return Codes(
        _finite(path, "codes", codes, flow.like),
        num_latents,
        None if context is None else _finite(path, "context", context, flow.like),
    )


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as file:  # NumPy leaves a file that it cannot read open
            if not zipfile.is_zipfile(file):  # NumPy would say that it may be a pickle, and how to load that
                raise ValueError("it is of another kind")
            file.seek(0)
            return dict(np.load(file, allow_pickle=False))
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DiffeoError(f"{path}: expected a .npz file of codes; got one that cannot be read ({error})") from error


def _require_context(path: Path, flow: FlowModel, given: tuple[int, ...] | None, size: int) -> None:
    wanted = None if flow.context_shape is None else (size, *flow.context_shape)
    if given != wanted:
        expected = "no context, for this flow takes none" if wanted is None else f"a context of shape {wanted}"
        raise DiffeoError(f"{path}: expected {expected}; got {'none' if given is None else f'one of shape {given}'}")


def _finite(path: Path, name: str, array: npt.NDArray[Any], like: Tensor) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise DiffeoError(f"{path}: {name}: expected real numbers; got {array.dtype}")
    values = torch.from_numpy(array.astype(np.float64)).to(like)
    if not bool(values.isfinite().all()):
        bad = (~values.isfinite()).nonzero()[0].tolist()
        raise DiffeoError(f"{path}: {name}{bad}: expected a finite number; got {array[tuple(bad)]}")
    return values
