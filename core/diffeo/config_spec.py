"""The spec: what a run is made of. These are the top-level keys of a spec file."""

from pathlib import Path
from typing import Annotated, Any, Literal

import attrs

from diffeo_registry import Slot, field

__all__ = ["FORMAT", "Spec", "Trainer"]

FORMAT = 1
"""Version of the spec format: the value of the key `diffeo`."""


@attrs.frozen(kw_only=True)
class Trainer:
    """How a model is trained."""

    steps: int = field(10_000, help="Optimizer steps.", ge=1)
    batch_size: int = field(256, help="Examples (or draws) per step, over all processes and micro-batches.", ge=1)
    shuffle: bool = field(
        True, help="Take the examples in another random order in every pass over the data; false: in their own order."
    )
    accumulate: int = field(1, help="Micro-batches whose gradients add up to one step; divides batch_size.", ge=1)
    precision: Literal["float32", "float64", "bfloat16"] = field(
        "float32", help="bfloat16: float32 with autocast inside conditioner networks only."
    )
    optimizer: Annotated[Any, Slot("optimizer")] = field("adam", help="Optimizer.")
    schedule: Annotated[Any, Slot("schedule")] = field("constant", help="Factor of the learning rate over the run.")
    clip: float | None = field(None, help="Largest gradient norm; larger gradients are scaled down to it.", gt=0)
    ema: float | None = field(
        None,
        help="Decay of an exponential moving average of the weights, which is then what is saved and used.",
        gt=0,
        lt=1,
    )
    compile: bool = field(False, help="Compile the training step with torch.compile.")
    memory: Literal["store", "checkpoint"] = field(
        "store",
        help="checkpoint: keep only what enters each step of the flow and compute the rest again on the way back.",
    )
    strict: bool = field(
        False,
        help="The same bits for any number of processes: gradients of shards are added up in a fixed order (on CPUs with "
        "one thread each).",
    )
    shards: int = field(
        8, help="With strict: parts of the batch, each with its own noise; a multiple of the number of processes.", ge=1
    )
    workers: int = field(0, help="Threads that fetch the next batches while the model computes; 0: none.", ge=0)
    nonfinite: Literal["stop", "skip"] = field(
        "stop", help="What to do about a loss or gradient that is not finite: stop, or skip the step."
    )
    max_skipped: int = field(
        100,
        help="With nonfinite: skip, so many skipped steps in a row, or ten times as many in all, stop the run.",
        ge=1,
    )
    timeout: float = field(
        600.0, help="Seconds that processes wait for one that does not answer during a step before they stop.", gt=0
    )
    log_every: int = field(20, help="Steps between lines of metrics.jsonl and the progress bar's numbers.", ge=1)
    eval_every: int | None = field(
        None,
        help="Steps between passes over the validation split, the first before step 0; none: a tenth of the run.",
        ge=1,
    )
    eval_examples: int = field(1000, help="At most this many validation examples per pass; 0: no validation.", ge=0)
    save_every: int | None = field(None, help="Steps between checkpoints; none: only the last step is saved.", ge=1)
    keep: int = field(2, help="How many of the newest checkpoints stay.", ge=1)
    keep_best: int = field(
        0, help="How many checkpoints with the lowest validation loss stay as well; each is then validated.", ge=0
    )
    select: Literal["last", "lowest_loss", "lowest_val_loss"] = field(
        "last",
        help="Which weights are saved and used: the last; those with the lowest loss of one step in the second half of the "
        "run, which a lucky batch decides (Andrade 2024); or those with the lowest validation loss.",
    )
    device: str = field("auto", help="Where to train: auto, cpu, cuda, cuda:1, mps.")

    def __attrs_post_init__(self) -> None:
        if self.batch_size % self.accumulate:
            raise ValueError(f"expected accumulate to divide batch_size {self.batch_size}; got {self.accumulate}")
        if self.strict and self.accumulate > 1:
            raise ValueError(f"expected shards instead of accumulate with strict; got accumulate {self.accumulate}")
        if self.strict and self.batch_size % self.shards:
            raise ValueError(f"expected shards to divide batch_size {self.batch_size}; got {self.shards}")
        if self.select != "last" and (self.ema is not None or self.keep_best):
            other = f"ema {self.ema}" if self.ema is not None else f"keep_best {self.keep_best}"
            raise ValueError(
                f"expected select: last with ema or keep_best, which choose weights, too; got {self.select} and {other}"
            )


@attrs.frozen(kw_only=True)
class Spec:
    """A run: data, model, objective, trainer and evaluators."""

    diffeo: int = field(help="Version of the spec format.", choices=(FORMAT,))
    seed: int = field(0, help="Everything random in the run follows from it.", ge=0)
    data: Annotated[Any, Slot("dataset", "target")] = field(help="The data set, or the target density.")
    model: Annotated[Any, Slot("model")] = field(help="The model.")
    objective: Annotated[Any, Slot("objective")] = field("maximum_likelihood", help="What is minimised.")
    trainer: Trainer = field(factory=Trainer, help="How it is trained.")
    evaluators: tuple[Annotated[Any, Slot("evaluator")], ...] = field(
        (), help="What looks at the trained model, when training ends and on `diffeo evaluate`."
    )
    start_from: Path | None = field(None, help="Run folder or model.safetensors whose weights training begins with.")
    origin: Any = attrs.field(init=False, default=None, eq=False, repr=False)
    """Where the spec was read from, for positions in error messages; not part of the spec."""
