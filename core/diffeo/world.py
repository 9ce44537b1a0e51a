"""The processes of a run: how they agree, and what they say when one of them is gone.

Without torchrun there is one process and every method is trivial. With it, numbers and short texts are exchanged over gloo on
the CPU, whatever the gradients travel over. Nothing is pickled: what is sent are tensors, texts as their UTF-8 bytes.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import attrs
import torch
from torch import Tensor

from diffeo.durable_files import Part
from diffeo.run import ElsewhereError, RunError
from diffeo_registry import DiffeoError

__all__ = ["World"]

T = TypeVar("T")

ROLL_CALL = 3.0
"""Seconds that processes which noticed a failure wait for each other before they say who is missing."""


@attrs.define
class World:
    """The processes that train together; this one is number ``rank`` of ``size``.

    ``patient`` is the group that waits as long as it takes (for a checkpoint to be written, for pictures to be drawn),
    ``group`` the one of the training steps, whose silence ends the run. Both are None in a world of one.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    restarts: int = 0
    patient: Any = None
    group: Any = None
    store: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and talks to the user."""
        return self.rank == 0

    # Agreement

    def maximum(self, values: Sequence[int]) -> list[int]:
        """The largest of each value over all processes: what the processes of a training step agree by."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.int64)
        torch.distributed.all_reduce(tensor, torch.distributed.ReduceOp.MAX, group=self.group)
        return [int(value) for value in tensor]

    def total(self, values: Tensor, *, in_step: bool = False) -> Tensor:
        """The sum over all processes, in the dtype of ``values``, on the CPU; ``in_step`` silence ends the run."""
        values = values.detach().cpu().clone()
        if self.size > 1:
            torch.distributed.all_reduce(values, group=self.group if in_step else self.patient)
        return values

    def gather(self, values: Tensor, *, in_step: bool = False) -> list[Tensor]:
        """The tensors of all processes, which have one shape, by rank, on the CPU; ``in_step`` silence ends the run."""
        values = values.detach().cpu().contiguous()
        if self.size == 1:
            return [values]
        found = [torch.empty_like(values) for _ in range(self.size)]
        torch.distributed.all_gather(found, values, group=self.group if in_step else self.patient)
        return found

    def gather_texts(self, text: str) -> list[str]:
        """The texts of all processes, by rank."""
        data = text.encode()
        sizes = [int(size) for size in self.gather(torch.tensor(len(data)))]
        padded = torch.zeros(max(sizes), dtype=torch.uint8)
        padded[: len(data)] = _bytes_tensor(data)
        return [_text(tensor[:size]) for size, tensor in zip(sizes, self.gather(padded), strict=True)]

    def broadcast(self, data: Part) -> Part:
        """What the main process has, for all of them."""
        if self.size == 1:
            return data
        size = torch.tensor(len(data))
        torch.distributed.broadcast(size, 0, group=self.patient)
        tensor = _bytes_tensor(data) if self.is_main else torch.empty(int(size), dtype=torch.uint8)
        torch.distributed.broadcast(tensor, 0, group=self.patient)
        return data if self.is_main else tensor.numpy().data

    def on_main(self, action: Callable[[], T]) -> T | None:
        """Do something in the main process only, while the others wait; an error there ends all of them.

        Returns what it returned, None in the other processes.
        """
        return self.together(action if self.is_main else lambda: None)

    def together(self, action: Callable[[], T]) -> T:
        """Do something in every process; an error in one of them ends all, told by the main process alone."""
        result, error = None, None
        try:
            result = action()
        except Exception as caught:
            error = caught
        if self.size > 1:
            report = "" if error is None else json.dumps(_report(error))
            self._raise_first(self.gather_texts(report), error)
        if error is not None:
            raise error
        return result  # pyright: ignore[reportReturnType] - set where there is no error

    def _raise_first(self, reports: Sequence[str], own: Exception | None) -> None:
        failed = [(rank, json.loads(report)) for rank, report in enumerate(reports) if report]
        if not failed or (self.is_main and own is not None):
            return
        rank, (text, status) = failed[0]
        if not self.is_main:
            raise ElsewhereError(text, status)
        lines = "\n".join(f"rank {rank}: {line}" for line in text.splitlines())
        raise DiffeoError(lines) if status == 2 else RunError(lines)

    # When one of them is gone

    def explain(self, error: RuntimeError, step: int) -> RuntimeError:
        """What to tell the user instead of an error of the network: who did not answer.

        Whoever got such an error signs a list in the store that torchrun keeps; those who have not signed after a moment
        are the ones that are gone, or hang. A hanging neighbour on the same machine is asked to print where it is.
        """
        if self.size == 1 or not _is_network_error(error):
            return error
        missing = self._missing(step)
        if not missing:
            return RunError(f"the processes lost touch at step {step}: {' '.join(str(error).split())}")
        for name in missing:
            _ask_for_stack(name)
        names = " and ".join(f"rank {name['rank']} ({name['host']}, process {name['pid']})" for name in missing)
        return RunError(
            f"{names} did not answer at step {step}: it died, hangs, or is slower than trainer.timeout; go on from the "
            "last checkpoint with diffeo train --resume"
        )

    def introduce(self) -> None:
        """Leave host and process number in the store, for ``explain``."""
        entry = {"rank": self.rank, "host": socket.gethostname(), "pid": os.getpid()}
        self.store.set(f"diffeo/who/{self.rank}", json.dumps(entry))

    def _missing(self, step: int) -> list[dict[str, Any]]:
        try:
            self.store.set(f"diffeo/here/{step}/{self.rank}", "")
            deadline = time.monotonic() + ROLL_CALL
            left = list(range(self.size))
            while left and time.monotonic() < deadline:
                left = [rank for rank in left if not self.store.check([f"diffeo/here/{step}/{rank}"])]
                time.sleep(0.05)
            return [json.loads(self.store.get(f"diffeo/who/{rank}")) for rank in left]
        except RuntimeError:  # the store is gone as well
            return []

    def close(self) -> None:
        """Leave the group when all are done."""
        if self.size > 1:
            torch.distributed.barrier(group=self.patient)
            torch.distributed.destroy_process_group()


def _report(error: Exception) -> tuple[str, int]:
    return str(error) or type(error).__name__, 2 if isinstance(error, (ValueError, OSError)) else 1


def _is_network_error(error: RuntimeError) -> bool:
    """Gloo's errors are plain ``RuntimeError``s that name its source files; those of stores and NCCL have classes."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _ask_for_stack(process: dict[str, Any]) -> None:
    if process["host"] == socket.gethostname():
        with suppress(OSError):  # it is gone
            os.kill(process["pid"], signal.SIGUSR1)  # faulthandler prints the stack of every thread


def _bytes_tensor(data: Part) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def _text(tensor: Tensor) -> str:
    return tensor.numpy().tobytes().decode()
