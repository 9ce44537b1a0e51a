"""Fixtures that several files share: small packages that are installed for one test, and processes started by torchrun."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

_FRESH = itertools.count()

ACME = str(Path(__file__).parents[1] / "core" / "tests" / "plugin")
"""A small plugin with parts that misbehave."""


@pytest.fixture
def rediscover(monkeypatch):
    """Components are discovered once per process and value of ``DIFFEO_DISABLE``: a new value, and it happens again."""

    def of(disable=""):
        monkeypatch.setenv("DIFFEO_DISABLE", f"{disable},nobody-{next(_FRESH)}")

    return of


@pytest.fixture
def install(tmp_path_factory, monkeypatch, rediscover):
    """Installs a small package: one module, which is its plugin too, and the dist-info that makes it one."""
    site = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(str(site))
    rediscover()

    def write(package, source):
        module = f"{package.replace('-', '_')}_{next(_FRESH)}"
        (site / f"{module}.py").write_text(textwrap.dedent(source).replace("MODULE", module))
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[diffeo.plugins]\nmain = {module}\n")

    return write


@pytest.fixture
def bench(tmp_path, monkeypatch, rediscover):
    """Runs of small specs of acme's parts, in this process, in a folder of this test."""
    monkeypatch.syspath_prepend(ACME)
    rediscover()
    from acme_parts.bench import Bench

    return Bench(tmp_path)


class Torchrun:
    """Starts processes by torchrun, and leaves none of them behind: all carry a mark in their environment."""

    LIMIT = 60
    """Seconds after which a launch is taken to hang."""

    def __init__(self, folder):
        self.folder = folder
        self.mark = f"DIFFEO_TEST={uuid.uuid4()}"

    def start(self, *arguments, processes=2, restarts=0, module="diffeo", **environment):
        torchrun = Path(sys.executable).with_name("torchrun")
        options = ["--standalone", f"--nproc-per-node={processes}", f"--max-restarts={restarts}"]
        name, _, value = self.mark.partition("=")
        ours = {"PYTHONPATH": ACME, "OMP_NUM_THREADS": "1", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "3", name: value}
        return subprocess.Popen(
            [str(torchrun), *options, "-m", module, *map(str, arguments)],
            cwd=self.folder,
            env=os.environ | ours | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process, limit=LIMIT):
        """Its status, standard output and standard error."""
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.close()
            out, err = process.communicate()
            pytest.fail(f"still there after {limit} s\n{out}\n{err}")
        return process.returncode, out, err

    def __call__(self, *arguments, limit=LIMIT, **options):
        return self.finish(self.start(*arguments, **options), limit)

    def several(self, commands, *, processes=2, **environment):
        """Command lines one after the other in the same processes; what each came to, by rank."""
        file = self.folder / f"commands-{next(_FRESH)}.json"
        file.write_text(json.dumps([[str(word) for word in command] for command in commands]))
        status, _, err = self(file, processes=processes, module="acme_parts.several", **environment)
        assert status == 0, err
        return [json.loads(file.with_suffix(f".{rank}.json").read_text()) for rank in range(processes)]

    def alive(self):
        """The environments of the processes that are still there, by process number."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile, or is another's
                environment = (folder / "environ").read_text(errors="replace").split("\0")
                if self.mark in environment:
                    found[int(folder.name)] = environment
        return found

    def worker(self, rank):
        """The process number of a rank."""
        return next(pid for pid, environment in self.alive().items() if f"RANK={rank}" in environment)

    def wait_for(self, condition, limit=LIMIT):
        """Look until it is so; it takes as long as it takes, up to a limit."""
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def wait_until_gone(self):
        self.wait_for(lambda: not self.alive(), limit=20)

    def close(self):
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def torchrun(tmp_path):
    launcher = Torchrun(tmp_path)
    yield launcher
    launcher.close()
