"""The trainer: one process, whose training step is the single module that distributed training wraps.

Noise is a function of (seed, step), the schedule of the step, the batch of (seed, step): there is little state to keep, and
a run that is interrupted and resumed continues as if nothing had happened.
"""

import math
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from diffeo import checkpoints
from diffeo.building import make
from diffeo.config_spec import Trainer
from diffeo.data_initialized import armed
from diffeo.dataset import Dataset
from diffeo.ema import MovingAverage
from diffeo.objective import Progress
from diffeo.progress import ProgressBar
from diffeo.randomness import derive, example_seeds, seed_device, seeded
from diffeo.run import Run, RunError
from diffeo.run_log import RunLog
from diffeo.sampling import batch_indices
from diffeo.stop_signals import StopSignals
from diffeo.training_state import TrainingState
from diffeo.training_step import DTYPES, TrainingStep, cast, set_precision
from diffeo.window import Window
from diffeo_registry import BuildError

__all__ = ["Loop"]

SKIPS_IN_A_ROW = 100
"""With ``nonfinite: skip``, so many skipped steps in a row end the run: it is not coming back."""


class Loop:
    """The loop of one run: takes steps, watches, validates, saves."""

    def __init__(self, run: Run, hooks: Any) -> None:
        self.run, self.hooks = run, hooks
        self.seed = run.spec.seed
        self.config: Trainer = run.spec.trainer
        self.device = torch.device(_device(self.config.device))
        self.module = TrainingStep(run.model, run.objective)
        set_precision(self.module, self.config.precision)
        self.module.to(self.device)
        self.schedule = make(self.config.schedule, at=("trainer", "schedule"))
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        if not parameters:
            raise BuildError("expected a model with trainable parameters; got none", ("model",))
        self.parameters = parameters
        optimizer: torch.optim.Optimizer = make(self.config.optimizer, parameters, at=("trainer", "optimizer"))
        self.learning_rates = [group["lr"] for group in optimizer.param_groups]
        ema = None if self.config.ema is None else MovingAverage(run.model, self.config.ema)
        self.state = TrainingState(module=self.module, optimizer=optimizer, ema=ema)
        self.log: RunLog | None = None

    # Before the first step

    def initialize(self) -> None:
        """Let data-dependent layers set their parameters: one training step without gradients.

        A run that starts from another run's weights has them already.
        """
        if self.run.spec.start_from is None:
            with armed(self.module), torch.no_grad(), seeded(derive(self.seed, "initialization")):
                self.module.train()
                self.module(self._batch(0, 0), self._progress(0))
        if self.state.ema is not None:
            self.state.ema = MovingAverage(self.run.model, self.state.ema.decay)

    def compile(self) -> None:
        """Compile the training step in place, so that the names of parameters stay as they are."""
        self.module.compile()

    # The loop

    def fit(self, until: int, log: RunLog, bar: ProgressBar) -> None:
        """Take steps up to ``until``, or to a signal; the last state is saved either way."""
        self.log = log
        stop = StopSignals()
        saved = -1
        with stop.caught(), torch.random.fork_rng():
            if self.state.step == 0:
                self._validate(bar)
            self.module.train()
            window = Window()
            while self.state.step < until and stop.received is None:
                metrics = self.take_step()
                self.run.step = self.state.step
                window.add(metrics)
                if self._due(self.config.log_every):
                    self._report(window, bar)
                if self._due(self._eval_every()) or self.state.step == self.config.steps:
                    self._validate(bar)
                    window.pause()
                if self.config.save_every is not None and self._due(self.config.save_every):
                    saved = self._save()
                    window.pause()
            if saved != self.state.step:
                self._save()
        self.run.signal = stop.received
        self.run.outcome = "finished" if self.state.step >= self.config.steps else "stopped"

    def take_step(self) -> dict[str, Tensor]:
        """One optimizer step; returns its metrics, still on the device."""
        step = self.state.step
        seed_device(derive(self.seed, "noise", step), self.device)
        factor = self.schedule(self._progress(step))
        for group, rate in zip(self.state.optimizer.param_groups, self.learning_rates, strict=True):
            group["lr"] = rate * factor
        totals: dict[str, Tensor] = {}
        for micro in range(self.config.accumulate):
            loss = self.module(self._batch(step, micro), self._progress(step))
            (loss.value / self.config.accumulate).backward()
            for name, value in {"loss": loss.value, **loss.metrics}.items():
                totals[name] = totals.get(name, 0) + value.detach() / self.config.accumulate
        totals["grad_norm"] = self._gradient_norm()
        if self._is_finite(totals):
            self.state.optimizer.step()
            if self.state.ema is not None:
                self.state.ema.update(step)
        self.state.optimizer.zero_grad(set_to_none=True)
        self.state.step = step + 1
        return totals

    def _gradient_norm(self) -> Tensor:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.config.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip, norm)
        return norm

    def _is_finite(self, totals: dict[str, Tensor]) -> bool:
        bad = [name for name in ("loss", "grad_norm") if not math.isfinite(float(totals[name]))]
        if not bad:
            self.state.skipped = 0
            return True
        text = f"{' and '.join(bad)} not finite at step {self.state.step} (learning rate {self._learning_rate():.3g})"
        assert self.log is not None
        self.log.incident(self.state.step, text)
        self.state.skipped += 1
        if self.config.nonfinite == "stop":
            raise RunError(f"{text}; lower the learning rate, set trainer.clip, or trainer.nonfinite: skip")
        if self.state.skipped >= SKIPS_IN_A_ROW:
            raise RunError(f"{text}; the last {SKIPS_IN_A_ROW} steps were all skipped")
        return False

    # What a step is fed with

    def _progress(self, step: int) -> Progress:
        return Progress(step, self.config.steps, self.config.batch_size // self.config.accumulate)

    def _batch(self, step: int, micro: int) -> dict[str, Tensor]:
        data = self.run.data
        if not isinstance(data, Dataset):
            return {}
        size = self.config.batch_size // self.config.accumulate
        mine = slice(micro * size, (micro + 1) * size)
        indices = batch_indices(self.seed, step, self.config.batch_size, data.size("train"))[mine]
        seeds = example_seeds(self.seed, step, self.config.batch_size)[mine]
        return cast(data.batch("train", indices, seeds), DTYPES[self.config.precision], self.device)

    # What a person watches

    def _report(self, window: Window, bar: ProgressBar) -> None:
        metrics = window.close() | {"lr": self._learning_rate()}
        assert self.log is not None
        self.log.metrics(self.state.step, metrics)
        bar.update(self.state.step, metrics)
        self.hooks.diffeo_step_done(run=self.run, step=self.state.step, metrics=metrics)

    def _validate(self, bar: ProgressBar) -> None:
        metrics = self.validate()
        if metrics:
            assert self.log is not None
            self.log.metrics(self.state.step, metrics)
            bar.update(self.state.step, metrics)
            self.hooks.diffeo_step_done(run=self.run, step=self.state.step, metrics=metrics)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The objective's metrics on the validation split, with the weights that would be saved; ``{}`` without one."""
        data = self.run.data
        size = min(data.size("val") or 0, self.config.eval_examples) if isinstance(data, Dataset) else 0
        if size == 0:
            return {}
        totals: dict[str, float] = {}
        averaged = nullcontext() if self.state.ema is None else self.state.ema.applied()
        self.module.eval()
        with averaged, seeded(derive(self.seed, "validation")):
            for indices in torch.arange(size).split(self.config.batch_size):
                batch = cast(data.batch("val", indices), DTYPES[self.config.precision], self.device)
                loss = self.module.forward(batch, self._progress(self.state.step))
                for name, value in {"loss": loss.value, **loss.metrics}.items():
                    totals[f"val/{name}"] = totals.get(f"val/{name}", 0.0) + float(value) * len(indices) / size
        self.module.train()
        return totals

    def _save(self) -> int:
        folder = self.run.path / "checkpoints"
        path = checkpoints.write(folder, self.state.step, self.state.files(self.run.spec.model))
        checkpoints.retain(folder, self.config.keep)
        self.hooks.diffeo_checkpoint_saved(run=self.run, step=self.state.step, path=path)
        return self.state.step

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0

    def _eval_every(self) -> int:
        return self.config.eval_every or max(1, self.config.steps // 10)

    def _learning_rate(self) -> float:
        return float(self.state.optimizer.param_groups[0]["lr"])


def _device(name: str) -> str:
    """A device that is there; raises ``BuildError`` for any other."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, ImportError) as error:  # what torch raises depends on the device
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BuildError(f"expected a device of this machine; got {name!r}: {reason}", ("trainer", "device")) from error
    return name
