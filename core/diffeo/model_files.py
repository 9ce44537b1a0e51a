"""``model.safetensors``: the weights to use, with the model section of the spec that they belong to.

A file is enough to rebuild the model; neither its data nor its objective need to be installed. It may come from a stranger:
the header is checked first (``diffeo.tensor_files``), then the section (``diffeo.model_section``); then the model is built
with no more memory than the file justifies (``diffeo.bounded_building``) and compared with the header, and only then are
weights read.
"""

import math
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffeo.augmenter import Augmenter
from diffeo.bounded_building import SPARE_BYTES, build_bounded
from diffeo.distribution import Distribution
from diffeo.durable_files import Part
from diffeo.errors import CheckpointError
from diffeo.model_section import KEY, ModelSection, check_entries
from diffeo.tensor_files import DTYPES, read_header, read_tensors, tensor_parts
from diffeo_registry import DiffeoError, SpecError
from diffeo_registry.wording import one_line

__all__ = ["CheckpointError", "load_weights", "model_parts", "read_model"]

Shape = tuple[int, ...]
Signature = tuple[Shape, torch.dtype]

MOST_LINES = 10
"""Problems of one file that get a line each; of more the first is told, and how many there are."""

LONGEST_LINE = 500
"""Characters of a message about a file: names and numbers in it may be of any length."""


def model_parts(model: nn.Module, config: Any, tensors: Mapping[str, Tensor]) -> list[Part]:
    """The file's contents, in pieces: ``tensors`` are the state of ``model``, built from ``config``."""
    section = ModelSection(
        config=config,
        shape=getattr(model, "event_shape"),  # noqa: B009
        context_shape=getattr(model, "context_shape"),  # noqa: B009
        dtype=next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float32),
    )
    _check_size(model, _signatures(tensors))
    return tensor_parts(tensors, {KEY: section.to_text()})


def read_model(path: Path) -> nn.Module:
    """Rebuild the model of a ``model.safetensors`` and load its weights, on the CPU, in eval mode."""
    header = read_header(path)
    if KEY not in header.metadata:
        raise CheckpointError(f"{path}: expected a model saved by diffeo; got a safetensors file without its metadata")
    with _told(path):
        given = {name: (entry.shape, DTYPES[entry.dtype]) for name, entry in header.tensors.items()}
        section = ModelSection.parse(header.metadata[KEY], _num_weights(given))
        model = _build(section, given)
    _, tensors = read_tensors(path)
    load_weights(model, tensors, str(path))
    return model.eval()


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy tensors into a module, after comparing every name, shape and dtype: all or nothing."""
    own = module.state_dict()
    problems = _differences(_signatures(own), _signatures(tensors))
    if problems:
        raise CheckpointError("\n".join(f"{source}: {_line(problem)}" for problem in problems[:MOST_LINES]))
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def _build(section: ModelSection, given: Mapping[str, Signature]) -> nn.Module:
    """The model of a section, if the tensors in its file are those of the model."""
    shapes = {name: shape for name, (shape, _) in given.items()}
    model = build_bounded(section.build, shapes, _num_bytes(given))
    problems = _differences(_signatures(model.state_dict()), given)
    if problems:
        raise CheckpointError(_first(problems))
    _check_size(model, given)
    return model


def _check_size(model: nn.Module, saved: Mapping[str, Signature]) -> None:
    """Raise where a model takes more memory than the tensors that are saved of it justify."""
    check_entries(_event_shapes(model), _num_weights(saved))
    unsaved = sum(buffer.nbytes for name, buffer in model.named_buffers() if name not in saved)
    if unsaved > _num_bytes(saved) + SPARE_BYTES:
        raise CheckpointError(
            f"expected a model of about the size of its file, {_num_bytes(saved)} bytes; got one of {unsaved} bytes more"
        )


def _event_shapes(model: nn.Module) -> Iterable[Shape | None]:
    """The shapes of the events and contexts that the parts of a model work on."""
    for module in model.modules():
        if isinstance(module, Distribution):
            yield from (module.event_shape, module.context_shape)
        elif isinstance(module, Augmenter):
            yield module.out_shape


def _num_weights(saved: Mapping[str, Signature]) -> int:
    return sum(math.prod(shape) for shape, _ in saved.values())


def _num_bytes(saved: Mapping[str, Signature]) -> int:
    return sum(math.prod(shape) * dtype.itemsize for shape, dtype in saved.values())


def _signatures(tensors: Mapping[str, Tensor]) -> dict[str, Signature]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def _differences(wanted: Mapping[str, Signature], given: Mapping[str, Signature]) -> list[str]:
    """What is wrong with the names, shapes and dtypes of ``given``, as far as ``wanted`` goes."""
    missing = [f"expected {name!r} {_text(wanted[name])}; got none" for name in sorted(wanted.keys() - given.keys())]
    unknown = [f"expected no {name!r}; got one {_text(given[name])}" for name in sorted(given.keys() - wanted.keys())]
    other = [
        f"expected {name!r} {_text(wanted[name])}; got {given[name][0]} and {given[name][1]}"
        for name in sorted(wanted.keys() & given.keys())
        if wanted[name] != given[name]
    ]
    return missing + unknown + other


def _text(signature: Signature) -> str:
    return f"with shape {signature[0]} and {signature[1]}"


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Whatever goes wrong while building what a file asks for is a ``CheckpointError``, a line for each problem.

    Constructors of any author run on a stranger's numbers in the block, so that any exception may come out of it.
    """
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {_line(str(error))}") from error
    except SpecError as error:
        raise _unbuildable(path, _fewest([str(problem) for problem in error.problems])) from error
    except DiffeoError as error:
        raise _unbuildable(path, [str(error)]) from error
    except Exception as error:
        raise _unbuildable(path, [f"{type(error).__name__}: {error}"]) from error


def _unbuildable(path: Path, reasons: Iterable[str]) -> CheckpointError:
    wanted = "expected a model section that can be built; got one that cannot"
    return CheckpointError("\n".join(f"{path}: {_line(f'{wanted}: {reason}')}" for reason in reasons))


def _fewest(problems: list[str]) -> list[str]:
    return problems if len(problems) <= MOST_LINES else [_first(problems)]


def _first(problems: list[str]) -> str:
    return problems[0] + (f" (and {len(problems) - 1} more)" if problems[1:] else "")


def _line(text: str) -> str:
    """A message on one line that any terminal can show, shortened."""
    text = one_line(text)
    text = text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 3]}..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
