"""Many seeds of one small model, trained as one batch of models.

S seeds, P parameters of one model. All parameters lie in one matrix theta (S, P); a step is one call of

    vmap over seeds of  grad of loss(theta_s, batch_s)

and one elementwise optimizer on theta, instead of S times the hundred small operations of a small model and its optimizer.
Each seed keeps what makes it a run of its own: initialisation, order of the data, gradient norm, log and checkpoints.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffeo.building import make
from diffeo.objective import Loss, Progress
from diffeo.progress import ProgressBar
from diffeo.run import RunError
from diffeo.running import last_step
from diffeo.seed_checks import BatchRefusedError, draws_of, reason_of, require_separable
from diffeo.seed_feed import SeedFeed
from diffeo.seed_noise import SeedNoise
from diffeo.seed_step import SeedStep
from diffeo.stop_signals import StopSignals
from diffeo.trainer import Loop

__all__ = ["SeedBatch"]

WORTH_COMPILING = 5_000
"""Steps from which compiling pays: it takes half a minute and saves 6 to 8 ms a step (integration/benchmarks/seeds.py), for 5 seeds
as for 20. What it saves is the time of many small calls, and there are as many of them for any number of seeds."""


class Taken(NamedTuple):
    """What came of a step: gradients (S, P), and by seed whether loss and gradient are finite (S)."""

    gradient: Tensor
    loss_is_finite: Tensor
    gradient_is_finite: Tensor

    @property
    def is_good(self) -> Tensor:
        """By seed, whether the step can be taken."""
        return self.loss_is_finite & self.gradient_is_finite


class SeedBatch:
    """The models of several loops, which stand at the same step, as one: stacked parameters, one optimizer, one step.

    Loops get their numbers back when they are to report, validate or save, which they do as ever. Those that could not go on
    are in ``failed``.
    """

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.loops = list(loops)
        self.failed: dict[Loop, RunError] = {}
        first = self.loops[0]
        self.config, self.schedule, self.learning_rates = first.config, first.schedule, first.learning_rates
        self.step = first.state.step
        self.compute = SeedStep(first.module)
        self.feed = SeedFeed(self.loops)
        self.noise = SeedNoise(self.loops)
        self._steps = 0
        self._stack()

    def require_separable(self) -> None:
        """Raise ``BatchRefusedError`` where the batch would not be what its models are; nothing is changed."""
        batches = self.feed.batches(self.step)
        self.noise.draws = draws_of(self.compute, batches, self.progress)
        noise = self.noise.of_step(self.step)
        require_separable(self.compute, self.loops, self.theta.detach(), self.buffers, batches, noise, self.progress)

    @property
    def progress(self) -> Progress:
        """The step to be taken."""
        return Progress(self.step, self.config.steps, self.config.batch_size)

    # The loop

    def fit(self, until: int | None, stop: StopSignals, *, show_progress: bool) -> str:
        """Take steps up to the last one, or to a signal, and save what was reached.

        Returns why the rest of the steps cannot be taken by a batch (one that draws noise only later on), or "".
        """
        everyone, final, steps = self.loops, last_step(self.loops[0], until), self.config.steps
        silent = ProgressBar(steps, enabled=False)
        if self.config.compile or final - self.step >= WORTH_COMPILING:
            self.compute.compile()
        name = f"training {len(everyone)} seeds"
        bar = ProgressBar(steps, start=self.step, enabled=show_progress, description=name)
        try:
            with stop.deferred(), torch.random.fork_rng(), bar:
                self._each(lambda loop: loop.begin(silent))
                reason = self._take_steps(final, stop, bar, silent)
                self._hand_out(whole=True)
                self._each(lambda loop: loop.end(stop.received or 0))
        finally:
            for loop in everyone:
                loop.feed.close()
        return reason

    def _take_steps(self, final: int, stop: StopSignals, bar: ProgressBar, silent: ProgressBar) -> str:
        while self.loops and self.step < final and stop.received is None:
            try:
                taken = self.take_step()
            except BatchRefusedError as refusal:
                return str(refusal)
            if bool(taken.is_good.all()):
                self._after_step(bar, silent)
            else:
                self._stop_not_finite(taken)
        return ""

    def take_step(self) -> Taken:
        """One step of every model, if all losses and gradients are finite; none is taken otherwise."""
        factor = self.schedule(self.progress)
        for group, rate in zip(self.optimizer.param_groups, self.learning_rates, strict=True):
            group["lr"] = rate * factor
        gradient, loss = self._gradients()
        norms = torch.linalg.vector_norm(gradient, dim=1)
        taken = Taken(gradient, torch.isfinite(loss.value.detach()), torch.isfinite(norms))
        if bool(taken.is_good.all()):
            self._update(gradient, norms)
            self._measure({"loss": loss.value, **loss.metrics, "grad_norm": norms})
        return taken

    def _gradients(self) -> tuple[Tensor, Loss]:
        batches = self.feed.batches(self.step)
        try:
            noise = self.noise.of_step(self.step)
            return self.compute(self.theta.detach(), self.buffers, batches, noise, self.progress)
        except RuntimeError as error:
            raise BatchRefusedError(reason_of(error)) from error

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

    def _measure(self, metrics: Mapping[str, Tensor]) -> None:
        """Add up what was measured, by seed; the loops' windows get it when they need it."""
        for name, values in metrics.items():
            self.totals[name] = self.totals.get(name, 0) + values.detach()
            self.counts[name] = self.counts.get(name, 0) + 1
        self._steps += 1

    def _after_step(self, bar: ProgressBar, silent: ProgressBar) -> None:
        due = self.loops[0].due(self.step)
        if not any(due):
            return
        bar.update(self.step, {name: float(total.mean()) / self.counts[name] for name, total in self.totals.items()})
        self._hand_out(whole=due.validation or due.save)
        self._each(lambda loop: loop.after_step(silent))
        if due.report:
            self.totals, self.counts = {}, {}
        for loop in self.loops:
            loop.state.window.pause()  # while the other loops were at it

    # Seeds that cannot go on

    def _stop_not_finite(self, taken: Taken) -> None:
        """Let the seeds whose step was not finite end as single runs do; the others take theirs again, without them."""
        self._hand_out(whole=True)
        rows = {loop: row for row, loop in enumerate(self.loops) if not bool(taken.is_good[row])}

        def stop(loop: Loop) -> None:
            if loop in rows:
                row = rows[loop]
                for parameter, part in zip(loop.parameters, self.compute.parts(taken.gradient[row]), strict=True):
                    parameter.grad = part
                loop.stop_at_not_finite(
                    bad_loss=not bool(taken.loss_is_finite[row]), bad_gradient=not bool(taken.gradient_is_finite[row])
                )

        self._each(stop)

    def _each(self, action: Callable[[Loop], None]) -> None:
        """Do something with every loop; those that fail leave the batch."""
        failed: dict[Loop, RunError] = {}
        for loop in self.loops:
            try:
                action(loop)
            except RunError as error:
                failed[loop] = error
                loop.run.outcome = "failed"
        if failed:
            self.failed |= failed
            self._keep([row for row, loop in enumerate(self.loops) if loop not in failed])

    def _keep(self, rows: list[int]) -> None:
        """Go on with some of the seeds."""
        self.loops = [self.loops[row] for row in rows]
        self.feed.keep(rows)
        self.noise.keep(rows)
        self.buffers = {name: buffer[rows] for name, buffer in self.buffers.items()}
        self.totals = {name: total[rows] for name, total in self.totals.items()}
        if self.config.ema is not None:
            self.average = self.average[rows]
        slots = self.optimizer.state[self.theta]
        self._take_over(
            self.theta.detach()[rows], {name: slot[rows] if slot.dim() else slot for name, slot in slots.items()}
        )

    # Between single models and the batch

    def _stack(self) -> None:
        """Take parameters, buffers, averages, the optimizer's state and what was measured out of the loops."""
        flatten = self.compute.flatten
        modules = [loop.module for loop in self.loops]
        everything = [dict(module.named_parameters()) | dict(module.named_buffers()) for module in modules]
        fixed = [name for name in everything[0] if name not in self.compute.names]
        self.buffers = {name: torch.stack([tensors[name].detach() for tensors in everything]) for name in fixed}
        if self.config.ema is not None:
            current = [one | loop.state.averages() for one, loop in zip(everything, self.loops, strict=True)]
            self.average = torch.stack([flatten([one[name] for name in self.compute.names]) for one in current])
        windows = [loop.state.window for loop in self.loops]
        device = self.loops[0].device
        self.totals = {
            name: torch.stack([one.totals[name].to(device) for one in windows]) for name in windows[0].totals
        }
        self.counts = dict(windows[0].counts)
        self._take_over(torch.stack([flatten(loop.parameters) for loop in self.loops]), self._stacked_slots())

    def _stacked_slots(self) -> dict[str, Tensor]:
        """The optimizer's state: a matrix for what it keeps for every number, one value for what is the same for all."""
        slots = [[loop.state.optimizer.state.get(p, {}) for p in loop.parameters] for loop in self.loops]
        return {
            name: torch.stack([self.compute.flatten([slot[name] for slot in one]) for one in slots])
            if value.dim()
            else value.clone()
            for name, value in slots[0][0].items()
        }

    def _take_over(self, theta: Tensor, slots: dict[str, Tensor]) -> None:
        """Train this matrix from now on, with an optimizer in this state."""
        self.theta = nn.Parameter(theta)
        self.optimizer: torch.optim.Optimizer = make(self.config.optimizer, [self.theta], at=("trainer", "optimizer"))
        self.optimizer.state[self.theta].update(slots)

    @torch.no_grad()
    def _hand_out(self, *, whole: bool) -> None:
        """Give the loops their own numbers back: weights and what was measured, and if ``whole`` all that is saved."""
        for row, loop in enumerate(self.loops):
            for parameter, value in zip(loop.parameters, self.compute.parts(self.theta[row]), strict=True):
                parameter.copy_(value)
            for group, source in zip(loop.state.optimizer.param_groups, self.optimizer.param_groups, strict=True):
                group["lr"] = source["lr"]
            loop.state.step = loop.run.step = self.step
            loop.state.window.restore({name: total[row].clone() for name, total in self.totals.items()}, self.counts)
            loop.state.window.count(self._steps)
            if whole:
                self._hand_out_state(row, loop)
        self._steps = 0

    def _hand_out_state(self, row: int, loop: Loop) -> None:
        if self.config.ema is not None:
            values = self.compute.parts(self.average[row])
            loop.state.set_averages(dict(zip(self.compute.names, values, strict=True)))
        for name, slot in self.optimizer.state[self.theta].items():
            parts = self.compute.parts(slot[row]) if slot.dim() else [slot] * len(loop.parameters)
            for parameter, part in zip(loop.parameters, parts, strict=True):
                loop.state.optimizer.state[parameter][name] = part.clone()
