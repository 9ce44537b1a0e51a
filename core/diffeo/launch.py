"""Joining the processes that torchrun started: several on one machine, or on many."""

import ctypes
import faulthandler
import os
import signal
import sys
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch.distributed import PrefixStore, TCPStore  # pyright: ignore[reportPrivateImportUsage] - documented, not declared

from diffeo.run import RunError
from diffeo.world import World

__all__ = ["joined", "launch_id", "restarts"]

PATIENCE = timedelta(days=1)
"""How long processes wait for one that is busy with something only it does; one that died is noticed at once."""

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@contextmanager
def joined(timeout: float) -> Generator[World]:
    """The world of this process, as the environment describes it; ``timeout`` is that of a training step, in seconds."""
    environment = os.environ
    if "TORCHELASTIC_RUN_ID" in environment:
        _die_with_parent(os.getppid())
    if int(environment.get("WORLD_SIZE", "1")) == 1:
        yield World(restarts=restarts())
        return
    faulthandler.register(signal.SIGUSR1)
    world = _join(environment, timeout)
    yield world
    world.close()  # not after an error: others may be waiting in an exchange, and leaving it would wait for them


def restarts() -> int:
    """How many times torchrun has started these processes anew."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def launch_id() -> str:
    """What all attempts of one torchrun have in common, and no two torchruns: its job id, or its process number."""
    job = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return f"process {os.getppid()}" if job == "none" else f"job {job}"


def _join(environment: Mapping[str, str], timeout: float) -> World:
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in environment]
    if missing:
        raise RunError(
            f"expected {', '.join(missing)} in the environment beside WORLD_SIZE={environment['WORLD_SIZE']}; got none: "
            "start several processes with torchrun -m diffeo train ..."
        )
    rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    distributed = torch.distributed
    store = _store(environment, rank, size)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    world = World(
        rank=rank,
        size=size,
        local_rank=int(environment.get("LOCAL_RANK", "0")),
        restarts=restarts(),
        patient=distributed.group.WORLD,
        group=distributed.new_group(timeout=timedelta(seconds=timeout)),
        store=store,
    )
    world.introduce()
    return world


def _store(environment: Mapping[str, str], rank: int, size: int) -> Any:
    """The store that processes meet in.

    torchrun keeps one store through all its restarts. A fast process of the second attempt would read there the address
    of a dead one of the first, so every attempt gets a prefix of its own. Attempts are counted by each machine for itself,
    therefore this works on one machine only; on several, torchrun is to make a store for every attempt.
    """
    address, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    shared = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    machines = int(environment.get("GROUP_WORLD_SIZE", "1"))
    if shared and machines > 1 and int(environment.get("TORCHELASTIC_MAX_RESTARTS", "0")) > 0:
        warnings.warn(
            "restarts on several machines need TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in the environment of torchrun",
            stacklevel=2,
        )
    is_host = rank == 0 and not shared
    store = TCPStore(address, port, size, is_host, PATIENCE_TO_MEET)
    attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0") if machines == 1 else "0"
    ours = PrefixStore(f"diffeo/attempt-{attempt}", store)
    # A program may train and then evaluate: each time the processes meet they need a place without old addresses.
    meeting = ours.add(f"meetings/{rank}", 1)
    return PrefixStore(f"meeting-{meeting}", ours)


PATIENCE_TO_MEET = timedelta(minutes=10)
"""How long processes wait for each other at the start: nodes may come up minutes apart."""


def _die_with_parent(parent: int) -> None:
    """Let the kernel end this process when torchrun is gone, however it went: nobody else would, and it writes files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os.kill(os.getpid(), signal.SIGKILL)
