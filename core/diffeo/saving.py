"""Saving a run: what is checked before, what is kept after, and what happens when the disk is full."""

from diffeo import checkpoints
from diffeo.hook_calls import HookCalls
from diffeo.retention import retain
from diffeo.run import Run, RunError
from diffeo.run_log import RunLog
from diffeo.training_state import TrainingState, surroundings
from diffeo.world import World

__all__ = ["Saver"]

FAILURES_IN_A_ROW = 3
"""A disk may be full for a while. After so many failed saves in a row the run is only wasting time."""


class Saver:
    """Writes the checkpoints of a run; every method is called by every process at the same step."""

    def __init__(self, run: Run, state: TrainingState, world: World, hooks: HookCalls) -> None:
        self.run, self.state, self.world, self.hooks = run, state, world, hooks
        self.saved_step = -1
        self._failures = 0

    def save(self, log: RunLog, *, score: float | None, last: bool = False) -> None:
        """Save the state after this step; a failure is written down and survived, unless it is the ``last`` save."""
        self._require_agreement()
        measured = self.state.window.merged(self.world)
        failure: list[checkpoints.SaveError] = []

        def write() -> None:
            device = next(self.state.module.parameters()).device.type
            facts = surroundings(self.world.size, device, compiled=self.run.spec.trainer.compile)
            files = self.state.files(self.run.spec.model, measured, facts)
            folder = self.run.path / "checkpoints"
            try:
                path = checkpoints.write(folder, self.state.step, files, score=score)
            except checkpoints.SaveError as error:
                failure.append(error)
                return
            trainer = self.run.spec.trainer
            for warning in retain(folder, keep=trainer.keep, best=trainer.keep_best, safe=path):
                log.incident(self.state.step, warning)
            self.hooks.checkpoint_saved(self.run, self.state.step, path)

        self.world.on_main(write)
        self._count(failure[0] if failure else None, log, last=last)

    def _count(self, failure: checkpoints.SaveError | None, log: RunLog, *, last: bool) -> None:
        if self.world.maximum([failure is not None])[0] == 0:
            self._failures, self.saved_step = 0, self.state.step
            return
        self._failures += 1
        if failure is not None:
            log.incident(self.state.step, str(failure), told=not last)
        if last or self._failures >= FAILURES_IN_A_ROW:
            which = "the last state" if last else f"{self._failures} checkpoints in a row"
            raise RunError(f"could not save {which}" + ("" if failure is None else f": {failure}"))

    def _require_agreement(self) -> None:
        """Raise if weights are not finite, or not the same in all processes: such a checkpoint would be worth nothing."""
        bad = self.state.not_finite()
        if self.world.maximum([len(bad)])[0]:
            names = ", ".join(bad[:3]) or "of another process"
            raise RunError(f"weights {names} are not finite at step {self.state.step}; they were not saved")
        prints = [tuple(one.tolist()) for one in self.world.gather(self.state.fingerprint())]
        if len(set(prints)) > 1:
            common = max(set(prints), key=prints.count)
            odd = [str(rank) for rank, one in enumerate(prints) if one != common]
            raise RunError(
                f"the weights of rank {', '.join(odd)} are not those of the others at step {self.state.step}: something "
                "changes them outside the step (noise in a buffer, an objective that draws in one process); nothing was saved"
            )
