"""What evaluators share: examples in batches, in the dtype and on the device of the model."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from diffeo.dataset import Dataset

__all__ = ["NamedClasses", "batches", "class_names", "first", "is_one_hot", "require_dataset", "require_split"]


@runtime_checkable
class NamedClasses(Protocol):
    """What a data set with classes may have beyond the protocol: their names, in the order of the one-hot context."""

    class_names: Sequence[str]


def require_dataset(data: Any, evaluator: str) -> Dataset:
    """``data`` if it is a data set; an error that names the evaluator otherwise."""
    if not isinstance(data, Dataset):
        raise ValueError(f"expected a data set for the evaluator {evaluator!r}; got {type(data).__name__}")
    return data


def require_split(data: Dataset, split: str) -> None:
    """Raise unless the data set has examples in a split."""
    if data.size(split) == 0:
        raise ValueError(f"expected a data set with a split {split!r}; got none or an empty one")


def batches(
    data: Dataset, split: str, *, max_examples: int | None, batch_size: int, like: Tensor
) -> Iterator[dict[str, Tensor]]:
    """The first ``max_examples`` examples of a split, without augmentation; contexts in the dtype of ``like``.

    x keeps its dtype: whether data are integers decides how a flow treats them.
    """
    require_split(data, split)
    size = data.size(split)
    if size is None and max_examples is None:
        raise ValueError("expected max_examples for an endless data set; got None")
    count = min(size for size in (size, max_examples) if size is not None)
    for start in range(0, count, batch_size):
        indices = torch.arange(start, min(start + batch_size, count))
        batch = {key: value.to(like.device) for key, value in data.batch(split, indices).items()}
        for key in ("x", "context"):
            if key in batch and batch[key].is_floating_point():
                batch[key] = batch[key].to(like.dtype)
        if "context" in batch and not batch["context"].is_floating_point():
            batch["context"] = batch["context"].to(like.dtype)
        yield batch


def first(data: Dataset, split: str, count: int, like: Tensor) -> dict[str, Tensor]:
    """The first ``count`` examples of a split as one batch."""
    return next(batches(data, split, max_examples=count, batch_size=count, like=like))


def is_one_hot(context_NK: Tensor) -> bool:
    """Whether every row is zero but for a single one, over at least two classes: ``(N, K)``."""
    if context_NK.dim() != 2 or context_NK.shape[1] < 2:
        return False
    binary = (context_NK == 0) | (context_NK == 1)
    return bool(binary.all() and (context_NK.sum(-1) == 1).all())


def class_names(data: Dataset, count: int) -> list[str]:
    """Names of the classes where the data set has them, else their numbers."""
    if isinstance(data, NamedClasses) and len(data.class_names) == count:
        return list(data.class_names)
    return [str(number) for number in range(count)]
