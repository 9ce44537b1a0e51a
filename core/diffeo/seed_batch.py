"""Many seeds of one small model, trained as one batch of models.

S seeds, P parameters of one model, B examples. All parameters lie in one matrix theta (S, P); a step is one call of

    vmap over seeds of  grad of loss(theta_s, batch_s)

and one elementwise optimizer on theta, instead of S times the hundred small operations of a small model and its optimizer.
Each seed keeps what makes it a run of its own: initialisation, order of the data, gradient norm, log and checkpoints.
"""

import shutil
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from diffeo.building import make
from diffeo.objective import Loss, Progress
from diffeo.progress import ProgressBar
from diffeo.run import RunError
from diffeo.running import last_step
from diffeo.stop_signals import StopSignals
from diffeo.trainer import Loop
from diffeo.training_step import DTYPES, cast

__all__ = ["BatchRefusedError", "SeedBatch"]

WORTH_COMPILING = 20_000
"""Steps times seeds from which compiling pays: it takes half a minute, and saves one to three milliseconds a step and seed."""

ROWS_AT_ONCE = 2048
"""Examples of one seed that are fetched together: a fetch of a small batch takes mostly Python's time."""

Batch = dict[str, Tensor]


class BatchRefusedError(Exception):
    """Why these seeds cannot be trained as one batch of models; they are trained one after another then."""


class SeedBatch:
    """The models of several loops as one: stacked parameters, one optimizer, one compiled step."""

    def __init__(self, loops: list[Loop]) -> None:
        self.loops = loops
        first = loops[0]
        self.config, self.module = first.config, first.module
        self.names = [name for name, p in first.module.named_parameters() if p.requires_grad]
        self.shapes = [p.shape for p in first.parameters]
        self.step = first.state.step
        windows = [loop.state.window for loop in loops]
        self.totals = {name: torch.stack([one.totals[name] for one in windows]) for name in windows[0].totals}
        self.counts = dict(windows[0].counts)
        self._steps = 0
        self._compute: Callable[..., tuple[Tensor, Loss]] = self._gradients
        self._ahead: list[Batch] = []
        self._stack()

    # The loop

    def fit(self, until: int | None, stop: StopSignals, *, show_progress: bool) -> dict[Loop, RunError]:
        """Take steps up to the last one, or to a signal; returns the runs that could not go on, and why."""
        failed: dict[Loop, RunError] = {}
        final, steps = last_step(self.loops[0], until), self.config.steps
        silent = ProgressBar(steps, enabled=False)
        if self.config.compile or (final - self.step) * len(self.loops) >= WORTH_COMPILING:
            self.compile()
        name = f"training {len(self.loops)} seeds"
        with (
            stop.deferred(),
            torch.random.fork_rng(),
            ProgressBar(steps, start=self.step, enabled=show_progress, description=name) as bar,
        ):
            for loop in self.loops:
                loop.begin(silent)
            while self.loops and self.step < final and stop.received is None:
                finite = self.take_step()
                if bool((finite[0] & finite[1]).all()):
                    self._after_step(bar, silent)
                else:
                    failed |= self._drop_failed(finite)
            self._hand_out()
            for loop in self.loops:
                loop.end(stop.received or 0)
        return failed

    def take_step(self) -> tuple[Tensor, Tensor]:
        """One step of every model; returns, by seed, whether its loss and its gradient were finite, and takes it if both were."""
        progress = Progress(self.step, self.config.steps, self.config.batch_size)
        factor = self.loops[0].schedule(progress)
        for group, rate in zip(self.optimizer.param_groups, self.loops[0].learning_rates, strict=True):
            group["lr"] = rate * factor
        gradient, loss = self._compute(self.theta.detach(), self.buffers, self._batches(), progress)
        norms = torch.linalg.vector_norm(gradient, dim=1)
        finite = torch.isfinite(loss.value.detach()), torch.isfinite(norms)
        if bool((finite[0] & finite[1]).all()):
            self._update(gradient, norms)
            self._measure({"loss": loss.value, **loss.metrics, "grad_norm": norms})
        return finite

    def _update(self, gradient: Tensor, norms: Tensor) -> None:
        if self.config.clip is not None:
            factor = (self.config.clip / (norms + 1e-6)).clamp(max=1.0)  # as torch's clip_grads_with_norm_
            gradient = gradient * factor[:, None]
        self.theta.grad = gradient
        self.optimizer.step()
        if self.config.ema is not None:
            decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
            self.average.lerp_(self.theta.detach(), 1 - decay)
        self.step += 1
        del self._ahead[:1]

    def _measure(self, metrics: Mapping[str, Tensor]) -> None:
        """Add up what was measured, by seed; the loops' windows get it when they need it."""
        for name, values in metrics.items():
            total = self.totals.get(name)
            values = values.detach().double()
            self.totals[name] = values if total is None else total + values
            self.counts[name] = self.counts.get(name, 0) + 1
        self._steps += 1

    def _after_step(self, bar: ProgressBar, silent: ProgressBar) -> None:
        if not self.loops or not any(self.loops[0].due(self.step)):
            return
        means = {name: float(total.mean()) / self.counts[name] for name, total in self.totals.items()}
        due = self._hand_out()
        for loop in self.loops:
            loop.after_step(silent)
        if due.report:
            self.totals, self.counts = {}, {}
        bar.update(self.step, means)

    # Failures

    def _drop_failed(self, finite: tuple[Tensor, Tensor]) -> dict[Loop, RunError]:
        """Let the seeds whose step was not finite end as single runs do, and go on with the others.

        The step that one of them could not take is taken by none, and taken again by the rest.
        """
        good = finite[0] & finite[1]
        self._hand_out()
        failed: dict[Loop, RunError] = {}
        for row, loop in enumerate(self.loops):
            if not bool(good[row]):
                try:
                    loop.stop_at_not_finite(bad_loss=not bool(finite[0][row]), bad_gradient=not bool(finite[1][row]))
                except RunError as error:
                    failed[loop] = error
                    loop.run.outcome = "failed"
        kept = [row for row in range(len(self.loops)) if bool(good[row])]
        self.totals = {name: total[kept] for name, total in self.totals.items()}
        self.loops = [self.loops[row] for row in kept]
        self._ahead = []
        if self.loops:
            self._stack()
        return failed

    # Between single models and the batch

    def _stack(self) -> None:
        """Take parameters, buffers, averages and the optimizer's state out of the loops."""
        states = [loop.module.state_dict() for loop in self.loops]
        self.theta = nn.Parameter(torch.stack([self._flat([state[name] for name in self.names]) for state in states]))
        fixed = [name for name in states[0] if name not in self.names]
        hidden = [name for name, _ in self.module.named_buffers() if name not in states[0]]
        everything = [dict(loop.module.named_buffers()) | dict(loop.module.named_parameters()) for loop in self.loops]
        self.buffers = {name: torch.stack([one[name].detach() for one in everything]) for name in [*fixed, *hidden]}
        if self.config.ema is not None:
            current = [state | loop.state.averages() for state, loop in zip(states, self.loops, strict=True)]
            self.average = torch.stack([self._flat([tensors[name] for name in self.names]) for tensors in current])
        self.optimizer: torch.optim.Optimizer = make(self.config.optimizer, [self.theta], at=("trainer", "optimizer"))
        slots = [[loop.state.optimizer.state.get(p, {}) for p in loop.parameters] for loop in self.loops]
        for name, value in slots[0][0].items():
            if value.dim():
                rows = [self._flat([state[name] for state in parameters]) for parameters in slots]
                self.optimizer.state[self.theta][name] = torch.stack(rows)
            else:
                self.optimizer.state[self.theta][name] = value.clone()

    @torch.no_grad()
    def _hand_out(self) -> Any:
        """Give every loop its own numbers back: parameters, the optimizer's state, averages, what was measured."""
        state = self.optimizer.state.get(self.theta, {})
        slots = {name: self._rows(value) for name, value in state.items() if value.dim()}
        thetas = self._rows(self.theta.detach())
        averages = self._rows(self.average) if self.config.ema is not None else None
        for row, loop in enumerate(self.loops):
            for parameter, value in zip(loop.parameters, thetas[row], strict=True):
                parameter.copy_(value)
            for index, parameter in enumerate(loop.parameters):
                own = loop.state.optimizer.state[parameter]
                own.update({name: value.clone() for name, value in state.items() if not value.dim()})
                own.update({name: rows[row][index].clone() for name, rows in slots.items()})
            for group, source in zip(loop.state.optimizer.param_groups, self.optimizer.param_groups, strict=True):
                group["lr"] = source["lr"]
            if averages is not None:
                loop.state.set_averages(dict(zip(self.names, averages[row], strict=True)))
            loop.state.step = loop.run.step = self.step
            totals = {name: total[row].clone() for name, total in self.totals.items()}
            loop.state.window.restore(totals, self.counts)
            loop.state.window.count(self._steps)
        self._steps = 0
        return self.loops[0].due(self.step) if self.loops else None

    def _flat(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])

    def _rows(self, matrix: Tensor) -> list[list[Tensor]]:
        """Per seed, the parameters that a row of the matrix holds."""
        sizes = [shape.numel() for shape in self.shapes]
        return [
            [part.reshape(shape) for part, shape in zip(row.split(sizes), self.shapes, strict=True)] for row in matrix
        ]

    # One step of all models

    def compile(self) -> None:
        """Compile the step where there is a compiler; it is the same step either way."""
        if sys.platform == "win32" or not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
            return
        compiled = torch.compile(self._gradients)

        def compute(*arguments: Any) -> tuple[Tensor, Loss]:
            try:
                return compiled(*arguments)
            except Exception as error:
                self._compute = self._gradients
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                warnings.warn(f"the step could not be compiled and is run as it is: {reason}", stacklevel=2)
                return self._gradients(*arguments)

        self._compute = compute

    def require_no_noise(self) -> None:
        """Raise if the step draws random numbers, or cannot be batched for another reason; nothing is changed."""
        progress = Progress(self.step, self.config.steps, self.config.batch_size)
        try:
            with torch.random.fork_rng():
                self._gradients(self.theta.detach(), self.buffers, self._batches(), progress)
        except RuntimeError as error:
            if "randomness" in str(error):
                raise BatchRefusedError("the step draws noise, which a batch of models would draw otherwise") from error
            raise BatchRefusedError(f"the step cannot be batched ({str(error).splitlines()[0]})") from error

    def _gradients(
        self, theta: Tensor, buffers: dict[str, Tensor], batches: Batch, progress: Progress
    ) -> tuple[Tensor, Loss]:
        """(d loss_s / d theta_s, loss_s) for every seed s."""
        sizes = [shape.numel() for shape in self.shapes]

        def loss_of(row: Tensor, fixed: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Loss]:
            parts = row.split(sizes)
            parameters = {
                name: part.reshape(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)
            }
            loss: Loss = functional_call(self.module, (parameters, fixed), (batch, progress))
            return loss.value, loss

        gradient, (_, loss) = vmap(grad_and_value(loss_of, has_aux=True))(theta, buffers, batches)
        return gradient, loss

    def _batches(self) -> Batch:
        """The batches of all seeds for the next step; those of several steps are fetched at once, which takes little longer."""
        if not self._ahead:
            size, dtype = self.config.batch_size, DTYPES[self.config.precision]
            count = max(1, min(ROWS_AT_ONCE // size, self.config.steps - self.step))
            rows = [loop.feed.fetch_steps(self.step, count, loop.feed.parts[0]) for loop in self.loops]
            stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
            parts = {
                name: values.split(size, dim=1) for name, values in cast(stacked, dtype, self.theta.device).items()
            }
            self._ahead = [{name: values[index] for name, values in parts.items()} for index in range(count)]
        return self._ahead[0]
