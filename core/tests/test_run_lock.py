"""One process writes a run: the second is refused while the first lives, and no longer."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from diffeo.run_lock import RunLock
from diffeo_registry import DiffeoError

fcntl = pytest.importorskip("fcntl", reason="no fcntl on this system: a run folder cannot be locked")

HOLDER = """
import os, sys, time
from pathlib import Path
from diffeo.run_lock import RunLock
with RunLock(Path(sys.argv[1])):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path):
    """Also while a child lives that the first one forked: it holds nothing."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as first:
        child = int(first.stdout.readline())
        try:
            message = (
                rf"^{tmp_path}: expected a run folder that nobody is writing; got one that process {first.pid} on "
                rf"{socket.gethostname()} has been training since 20\S+: wait for it, or stop it$"
            )
            with pytest.raises(DiffeoError, match=message), RunLock(tmp_path):
                pass
            first.kill()
            first.wait()
            os.kill(child, 0)  # the child is alive
            with RunLock(tmp_path):
                assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lock_is_free_after_the_block(tmp_path):
    for _ in range(2):
        with RunLock(tmp_path), pytest.raises(DiffeoError, match=f"process {os.getpid()} on"), RunLock(tmp_path):
            pass
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path):
        raise ZeroDivisionError
    with RunLock(tmp_path):
        (tmp_path / ".lock").write_text("")  # as in the instant before the owner writes its name
        with pytest.raises(DiffeoError, match="got one that another process is training"), RunLock(tmp_path):
            pass


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_that_ends_leaves_the_lock_with_its_parent(tmp_path):
    with RunLock(tmp_path) as lock:
        child = os.fork()
        if child == 0:
            lock.close()
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(DiffeoError, match=f"process {os.getpid()} on"), RunLock(tmp_path):
            pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    for folder, reason in ((tmp_path / "nowhere", "No such file or directory"), (tmp_path / "file", "Not a directory")):
        (tmp_path / "file").write_text("")
        with pytest.raises(DiffeoError, match=f"{folder}: expected a run folder that can be written; got {reason}"):
            RunLock(folder).__enter__()


def test_a_drive_without_locks_is_told(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match=r"the drive has no locks \(No locks available\)"), RunLock(tmp_path):
        pass
