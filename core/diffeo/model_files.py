"""``model.safetensors``: the weights to use, with the model section of the spec that they belong to.

The header carries one metadata key, ``diffeo``: sorted JSON with format, model, shape, context_shape and dtype. A file is
enough to rebuild the model; neither its data nor its objective need to be installed. Nothing in it is executed: the model
section is data, looked up by name in the registry.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as serialize_tensors
from torch import Tensor, nn

from diffeo.building import make
from diffeo_registry import DiffeoError, Slot, SpecError, installed, structure, unstructure

__all__ = ["CheckpointError", "load_weights", "model_bytes", "read_model"]

FORMAT = 1
HEADER_LIMIT = 16 * 2**20
"""Largest header accepted, in bytes; ours are a few hundred bytes per tensor."""

Shape = tuple[int, ...]


class CheckpointError(DiffeoError):
    """A file that is not a checkpoint of ours, is damaged, or belongs to another model."""


def model_bytes(model: nn.Module, config: Any, tensors: dict[str, Tensor]) -> bytes:
    """The file's contents: ``tensors`` are the state of ``model``, built from ``config``."""
    header = {
        "format": FORMAT,
        "model": unstructure(config, registry=installed()),
        "shape": list(getattr(model, "event_shape")),  # noqa: B009
        "context_shape": _as_list(getattr(model, "context_shape")),  # noqa: B009
        "dtype": str(next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float32))[6:],
    }
    text = json.dumps(header, sort_keys=True)
    return serialize_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, {"diffeo": text})


def read_model(path: Path) -> nn.Module:
    """Rebuild the model of a ``model.safetensors`` and load its weights, on the CPU, in eval mode."""
    header, tensors = _read(path)
    try:
        config = structure(header["model"], Slot("model"), registry=installed())
        model: nn.Module = make(config, tuple(header["shape"]), _as_shape(header["context_shape"]))
    except SpecError as error:
        raise CheckpointError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
    except (KeyError, TypeError, DiffeoError) as error:
        raise CheckpointError(f"{path}: expected a model section that can be built; got {error}") from error
    model.to(getattr(torch, header["dtype"]))
    load_weights(model, tensors, str(path))
    return model.eval()


def load_weights(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copy tensors into a module, after comparing every name, shape and dtype: all or nothing."""
    own = module.state_dict()
    problems = [f"has no tensor {name!r}" for name in sorted(own.keys() - tensors.keys())]
    problems += [f"has a tensor {name!r} that the model doesn't" for name in sorted(tensors.keys() - own.keys())]
    for name in sorted(own.keys() & tensors.keys()):
        wanted, got = (tuple(own[name].shape), own[name].dtype), (tuple(tensors[name].shape), tensors[name].dtype)
        if wanted != got:
            problems.append(f"expected {name!r} with shape {wanted[0]} and {wanted[1]}; got {got[0]} and {got[1]}")
    if problems:
        raise CheckpointError("\n".join(f"{source}: {problem}" for problem in problems[:10]))
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file, read once into memory."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: expected a safetensors file; got {error.strerror or error}") from error
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(HEADER_LIMIT, len(data) - 8):
        raise CheckpointError(
            f"{path}: expected a safetensors file; got {len(data)} bytes that are none, or a truncated one"
        )
    try:
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        return metadata, parse_tensors(data)
    except (SafetensorError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected a whole safetensors file; got a damaged one ({error})") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    metadata, tensors = read_tensors(path)
    if "diffeo" not in metadata:
        raise CheckpointError(f"{path}: expected a model saved by diffeo; got a safetensors file without its metadata")
    try:
        header = json.loads(metadata["diffeo"])
        missing = {"format", "model", "shape", "context_shape", "dtype"} - set(header)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: expected metadata in JSON; got {error}") from error
    if missing:
        raise CheckpointError(f"{path}: expected metadata with {', '.join(sorted(missing))}; got none")
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"{path}: expected format {FORMAT}; got {header['format']!r}: it was written by another version of diffeo"
        )
    if header["dtype"] not in ("float32", "float64"):
        raise CheckpointError(f"{path}: expected dtype float32 or float64; got {header['dtype']!r}")
    return header, tensors


def _as_list(shape: Shape | None) -> list[int] | None:
    return None if shape is None else list(shape)


def _as_shape(value: Any) -> Shape | None:
    return None if value is None else tuple(value)
