"""The trainer: the loop of one run, the same for one process and for many.

Noise is a function of (seed, step, rank), the schedule of the step, the batch of (seed, step): there is little state to keep,
and a run that is interrupted and resumed continues as if nothing had happened.
"""

import math
import resource
import sys
from typing import NamedTuple

import torch
from torch import Tensor

from diffeo.config_spec import Trainer
from diffeo.data_initialized import armed
from diffeo.feed import Feed
from diffeo.gradients import (
    Gradients,
    MeanGradients,
    ShardGradients,
    average_statistics,
    batch_norms,
    micro_batches,
    shards,
)
from diffeo.hook_calls import HookCalls
from diffeo.nonfinite import blame_gradients, blame_parts
from diffeo.objective import Progress
from diffeo.progress import ProgressBar
from diffeo.randomness import derive, seeded
from diffeo.run import Run, RunError
from diffeo.run_log import RunLog
from diffeo.saving import Saver
from diffeo.step_trace import shares, traced
from diffeo.stop_signals import StopSignals
from diffeo.training_setup import Setup
from diffeo.training_step import DTYPES, cast
from diffeo.validation import validate, validation_size
from diffeo.world import World

__all__ = ["Loop"]


class Due(NamedTuple):
    """What is to be done after a step."""

    report: bool
    validation: bool
    save: bool


class Loop:
    """The loop of one run: takes steps, watches, validates, saves."""

    def __init__(self, run: Run, setup: Setup, hooks: HookCalls, world: World) -> None:
        self.run, self.hooks, self.world = run, hooks, world
        self.seed = run.spec.seed
        self.config: Trainer = run.spec.trainer
        self.device, self.schedule, self.state = setup.device, setup.schedule, setup.state
        self.module, self.parameters = setup.state.module, setup.parameters
        self.learning_rates = [group["lr"] for group in self.state.optimizer.param_groups]
        strict = self.config.strict
        parts = (shards if strict else micro_batches)(
            self.config.batch_size, self.config.shards if strict else self.config.accumulate, world
        )
        self.feed = Feed(
            run.data,
            self.seed,
            self.config.batch_size,
            parts,
            workers=self.config.workers,
            shuffle=self.config.shuffle,
        )
        self.saver = Saver(run, self.state, world, hooks)
        self.log: RunLog | None = None
        self.last_validation: tuple[int, float | None] = (-1, None)
        self._gradients: Gradients | None = None
        # A step that is not finite must not leave its traces in running statistics.
        self._statistics = [buffer for norm in batch_norms(self.module) for buffer in norm.buffers()]

    # Before the first step

    def initialize(self) -> None:
        """Let data-dependent layers set their parameters: one training step without gradients.

        Every process runs it on the same examples, a first micro-batch of all of them together. A run that starts from
        another run's weights has them already.
        """
        if self.run.spec.start_from is None:
            size = self.config.batch_size // self.config.accumulate
            with armed(self.module), torch.no_grad(), seeded(derive(self.seed, "initialization")):
                self.module.train()
                batch = cast(self.feed.fetch(0, slice(0, size)), DTYPES[self.config.precision], self.device)
                self.module.forward(batch, Progress(0, self.config.steps, size))
        self.state.restart_average(self.run.model)

    @property
    def gradients(self) -> Gradients:
        """What computes the gradient; made when the weights are there, for it compares those of all processes."""
        if self._gradients is None:
            if self.config.strict:
                self._gradients = ShardGradients(self.module, self.fetch, self.config.shards, self.world, self.seed)
            else:
                self._gradients = MeanGradients(self.module, self.fetch, self.config.accumulate, self.world, self.seed)
        return self._gradients

    # The loop

    def fit(self, until: int, bar: ProgressBar, stop: StopSignals) -> None:
        """Take steps up to ``until``, or to a signal; the last state is saved either way."""
        signal_number = 0
        with stop.deferred(), torch.random.fork_rng():
            try:
                self.begin(bar)
                while self.state.step < until and not signal_number:
                    metrics, signal_number = self.take_step(stop)
                    self.state.window.add(metrics)
                    self.after_step(bar)
                self.end(signal_number)
            except RuntimeError as error:
                raise self.world.explain(error, self.state.step) from error
            finally:
                self.feed.close()

    def begin(self, bar: ProgressBar) -> None:
        """What comes before the step that is to be taken next."""
        if self.state.step == 0:
            self._validate(bar)
        self.module.train()
        self.state.window.pause()

    def after_step(self, bar: ProgressBar) -> None:
        """Report, validate and save where it is due."""
        step, window = self.state.step, self.state.window
        self.run.step = step
        due = self.due(step)
        if due.report:
            rate = window.close(self.world)
            self._publish(rate | self._machine(rate), bar)
        if due.validation:
            self._validate(bar)
            window.pause()
        if due.save:
            self._save()
            window.pause()

    def due(self, step: int) -> Due:
        """What is to be done after a step."""
        config = self.config
        return Due(
            report=step % config.log_every == 0,
            validation=step % (config.eval_every or max(1, config.steps // 10)) == 0 or step == config.steps,
            save=config.save_every is not None and step % config.save_every == 0,
        )

    def end(self, signal_number: int) -> None:
        """Save the last state, and say how the run ended."""
        if self.saver.saved_step != self.state.step:
            self._save(last=True)
        self.run.signal = signal_number or None
        self.run.outcome = "finished" if self.state.step >= self.config.steps else "stopped"

    def take_step(self, stop: StopSignals | None = None) -> tuple[dict[str, Tensor], int]:
        """One optimizer step; returns its metrics, still on the device, and the signal that any process received.

        A step that was skipped has no metrics.
        """
        step = self.state.step
        factor = self.schedule(Progress(step, self.config.steps, self.config.batch_size))
        for group, rate in zip(self.state.optimizer.param_groups, self.learning_rates, strict=True):
            group["lr"] = rate * factor
        kept = [buffer.clone() for buffer in self._statistics]
        totals = self.gradients(step, self.progress)
        totals["grad_norm"] = self._gradient_norm()
        bad = [not math.isfinite(float(totals[name])) for name in ("loss", "grad_norm")]
        received = None if stop is None else stop.received  # asked as late as can be: a step may take minutes
        bad_loss, bad_gradient, signal_number = self.world.maximum([*bad, received or 0])
        if bad_loss or bad_gradient:
            # Looking for the cause runs the step once more, so statistics are put back after it.
            causes = self._causes(bad_loss=bool(bad_loss))
            for buffer, value in zip(self._statistics, kept, strict=True):
                buffer.copy_(value)
            self._not_finite(causes, bad_loss=bool(bad_loss), bad_gradient=bool(bad_gradient))
            totals = {}  # one infinity would hide every other loss of the line it is averaged into
        else:
            self.state.skipped_in_a_row = 0
            self._offer_loss(totals["loss"])
            self.state.optimizer.step()
            average_statistics(self.module, self.world)
            if self.state.ema is not None:
                self.state.ema.update(step)
        self.state.optimizer.zero_grad(set_to_none=True)
        self.state.step = step + 1
        return totals, signal_number

    def _offer_loss(self, loss: Tensor) -> None:
        """Let the weights that this step's loss belongs to, which are still there, be selected by it."""
        late = self.state.step >= self.config.steps // 2
        if self.state.best is not None and self.config.select == "lowest_loss" and late:
            mean = float(self.world.total(loss, in_step=True)) / self.world.size
            self.state.best.offer(mean, self.state.step)

    def _gradient_norm(self) -> Tensor:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.config.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip, norm)
        return norm

    # A step that is not finite

    def _not_finite(self, causes: list[tuple[int, str]], *, bad_loss: bool, bad_gradient: bool) -> None:
        """Skip the step or stop the run, in all processes alike; which part and which examples did it is written down."""
        what = " and ".join([name for name, bad in (("loss", bad_loss), ("grad_norm", bad_gradient)) if bad])
        text = f"{what} not finite at step {self.state.step} (learning rate {self._learning_rate():.3g})"
        told = "; ".join([text, *(f"rank {rank}: {cause}" if self.world.size > 1 else cause for rank, cause in causes)])
        if self.world.is_main:
            assert self.log is not None
            self.log.incident(self.state.step, told, told=self.config.nonfinite == "skip")
        if self.config.nonfinite == "stop":
            self.state.optimizer.zero_grad(set_to_none=True)
            self._save(last=True)
            raise RunError(
                f"{told}; the state before this step is saved: lower the learning rate, set trainer.clip, or "
                "trainer.nonfinite: skip"
            )
        self.state.skipped_in_a_row += 1
        self.state.skipped += 1
        limit = self.config.max_skipped
        if self.state.skipped_in_a_row >= limit or self.state.skipped >= 10 * limit:
            raise RunError(
                f"{told}; {self.state.skipped_in_a_row} steps in a row were skipped, {self.state.skipped} in all"
            )

    def stop_at_not_finite(self, *, bad_loss: bool, bad_gradient: bool) -> None:
        """End a run whose next step somebody else has found to be not finite."""
        self._not_finite(self._causes(bad_loss=bad_loss), bad_loss=bad_loss, bad_gradient=bad_gradient)

    def _causes(self, *, bad_loss: bool) -> list[tuple[int, str]]:
        cause = ""
        if bad_loss:
            cause = blame_parts(self.module, self.gradients, self.feed, self.fetch, self.state.step, self.progress)
        cause = cause or ("" if bad_loss else blame_gradients(self.module))
        found = [(rank, text) for rank, text in enumerate(self.world.gather_texts(cause)) if text]
        return found if bad_loss else found[:1]  # gradients are the same everywhere

    # What a step is fed with

    @property
    def progress(self) -> Progress:
        """The step to be taken, and how many examples one pass of this process has."""
        positions = self.feed.parts[0]
        return Progress(self.state.step, self.config.steps, positions.stop - positions.start)

    def fetch(self, step: int, part: int) -> dict[str, Tensor]:
        """One part of the batch, in the dtype of the model and on its device."""
        return cast(self.feed.batch(step, part), DTYPES[self.config.precision], self.device)

    # What a person watches, and what stays

    def _machine(self, metrics: dict[str, float]) -> dict[str, float]:
        """Learning rate, throughput over all processes, and the most memory this one has had, in MiB."""
        cuda = self.device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(self.device) if cuda else _peak_resident()
        examples = metrics.get("steps_per_second", 0.0) * self.config.batch_size
        return {"lr": self._learning_rate(), "examples_per_second": examples, "memory_mib": peak / 2**20}

    def _validate(self, bar: ProgressBar) -> None:
        metrics = validate(self.run, self.state, self.world)
        self.last_validation = (self.state.step, metrics.get("val/loss"))
        if self.state.best is not None and self.config.select == "lowest_val_loss":
            self.state.best.offer(metrics["val/loss"], self.state.step)
        if self.world.is_main:
            metrics |= self._log_weights()
        if metrics:
            self._publish(metrics, bar)

    @torch.no_grad()
    def _log_weights(self) -> dict[str, float]:
        """The mean log-weight of every part of the flow on the training examples that come next."""
        positions = self.feed.parts[0]
        progress = Progress(self.state.step, self.config.steps, positions.stop - positions.start)
        self.module.eval()
        with traced(self.run.model) as trace, seeded(derive(self.seed, "watching", self.state.step)):
            batch = cast(self.feed.fetch(self.state.step, positions), DTYPES[self.config.precision], self.device)
            self.module.forward(batch, progress)
        self.module.train()
        return shares(trace)

    def _publish(self, metrics: dict[str, float], bar: ProgressBar) -> None:
        if self.world.is_main:
            assert self.log is not None
            self.log.metrics(self.state.step, metrics)
            bar.update(self.state.step, metrics)
            self.hooks.step_done(self.run, self.state.step, metrics)

    def _save(self, *, last: bool = False) -> None:
        if self.config.keep_best and validation_size(self.run) and self.last_validation[0] != self.state.step:
            self.last_validation = (self.state.step, validate(self.run, self.state, self.world).get("val/loss"))
        assert self.log is not None
        self.saver.save(self.log, score=self.last_validation[1], last=last)

    def _learning_rate(self) -> float:
        return float(self.state.optimizer.param_groups[0]["lr"])


def _peak_resident() -> int:
    """Bytes; the unit of ``ru_maxrss`` is the kilobyte on Linux and the byte on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
