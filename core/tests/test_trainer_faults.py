"""Whatever happens to a run in one process, its newest checkpoint is whole and the user is told in one line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import diffeo
from diffeo import checkpoints, cli
from diffeo.hook_calls import HookCalls
from diffeo.run_lock import RunLock
from diffeo.sampling import batch_indices
from diffeo.stop_signals import StoppedError
from diffeo_registry import hookimpl

PLUGIN = str(Path(__file__).parent / "plugin")
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}


def mishap(does, **fields):
    return {"mishap": {"does": does, **fields}}


def command(bench, capsys, name, *, status, **sections):
    """Train by the command line in this process; returns its standard error without the progress bar."""
    spec = bench.write("spec", **sections)
    assert cli.run(["train", str(spec), "--out", str(bench.path(name))]) == status
    out, err = capsys.readouterr()
    return out, [line for line in err.splitlines() if not line.startswith("training:")]


# Signals


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_saves_after_the_step_and_exits_with_its_number(number, bench, capsys):
    out, err = command(bench, capsys, "run", status=STATUS[number], objective=mishap("signal", number=number, at=7))
    assert out == f"stopped at step 8; go on with: diffeo train --resume {bench.path('run')}\n"
    assert (bench.steps("run"), err) == ([8], [])
    bench.train("whole", objective=mishap("signal", at=1000))
    bench.resume("run")
    assert bench.weights("run") == bench.weights("whole")


@pytest.mark.parametrize("number", STATUS)
def test_a_second_signal_ends_at_once_and_leaves_the_checkpoint_before(number, bench, capsys):
    twice = mishap("signal", number=number, times=2, at=7)
    _, err = command(bench, capsys, "run", status=STATUS[number], objective=twice, trainer={"save_every": 5})
    assert err == [f"stopped by {number.name}; go on with: diffeo train --resume {bench.path('run')}"]
    assert bench.steps("run") == [5]
    checkpoints.verify(bench.checkpoint("run", 5))


def test_a_signal_during_evaluation_ends_at_once_with_the_last_step_saved(bench, capsys):
    _, err = command(bench, capsys, "run", status=143, evaluators=["bell"])
    assert err == [f"stopped by SIGTERM; go on with: diffeo train --resume {bench.path('run')}"]
    assert bench.steps("run") == [20]
    checkpoints.verify(bench.checkpoint("run"))


def test_a_signal_before_anything_is_written_leaves_nothing(bench, capsys):
    _, err = command(bench, capsys, "run", status=130, data={"beads": {"alarm": int(signal.SIGINT)}})
    assert err == ["stopped by SIGINT"]
    assert not bench.path("run").exists()


def test_handlers_are_those_of_before(bench):
    before = [signal.getsignal(number) for number in STATUS]
    with pytest.raises(StoppedError):
        bench.train("run", objective=mishap("signal", times=2))
    assert [signal.getsignal(number) for number in STATUS] == before


# A full disk, in a process whose files are not allowed to grow


def on_a_small_disk(bench, *, log=None, **fields):
    sections = {"trainer": {"save_every": 2, "keep": 20, "log_every": 1}, "objective": mishap("fill_disk", **fields)}
    arguments = ["train", str(bench.write("spec", **sections)), "--out", str(bench.path("run"))]
    environment = os.environ | {"PYTHONPATH": PLUGIN, "OMP_NUM_THREADS": "1"}
    with open(log or os.devnull, "w") as file:
        done = subprocess.run(
            [sys.executable, "-m", "diffeo", *arguments],
            env=environment,
            timeout=60,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=file if log else subprocess.PIPE,
            text=True,
        )
    bench.train("whole", **(sections | {"objective": "mishap"}))
    return done.returncode, [] if log else done.stderr.splitlines()


@pytest.mark.parametrize("log", [pytest.param("told", marks=pytest.mark.long), "a file on the same disk"])
def test_training_goes_on_while_the_disk_is_full(log, bench):
    """Two saves fail; lines that could not be written come later, whole and in order; the next save works."""
    status, err = on_a_small_disk(bench, at=7, until=10, log=None if log == "told" else bench.path("log.txt"))
    assert status == 0, err
    assert bench.steps("run") == [2, 4, 6, 12, 14, 16, 18, 20]
    assert (bench.weights("run"), bench.metrics("run")) == (bench.weights("whole"), bench.metrics("whole"))
    failed = [row["step"] for row in bench.lines("run", "incidents.jsonl") if "can be written" in row["incident"]]
    assert failed == [8, 10]
    assert not [path for path in bench.path("run").rglob("*") if path.name.startswith(".tmp-")]


def test_three_failed_saves_in_a_row_end_the_run(bench):
    status, err = on_a_small_disk(bench, at=7, until=1000)
    assert status == 1
    (line,) = [line for line in err if line.startswith("could not save 3 checkpoints in a row: ")]
    assert "expected a place where" in line
    assert bench.steps("run") == [2, 4, 6]
    assert bench.weights("run", 6) == bench.weights("whole", 6)


@pytest.mark.long
def test_a_last_save_that_fails_ends_the_run(bench):
    status, err = on_a_small_disk(bench, at=19, until=1000)
    assert status == 1
    assert [line for line in err if line.startswith("could not save the last state: ")]
    assert bench.steps("run")[-1] == 18


# Run folders


def test_a_second_trainer_is_refused_in_one_line(bench, capsys):
    bench.train("run", until=5)
    before = bench.weights("run")
    with RunLock(bench.path("run")):
        assert cli.run(["train", "--resume", str(bench.path("run"))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        f"{bench.path('run')}: expected a run folder that nobody is writing; got one that process {os.getpid()}" in line
    )
    assert bench.weights("run") == before


def damage(checkpoint, file):
    data = bytearray((checkpoint / file).read_bytes())
    data[-1] ^= 1
    (checkpoint / file).write_bytes(data)


@pytest.mark.parametrize("file", ["model.safetensors", "training.safetensors", "state.json", "MANIFEST.json"])
def test_a_damaged_checkpoint_is_moved_aside_and_the_one_before_it_used(file, bench):
    settings = {"trainer": {"save_every": 5}}
    bench.train("whole", **settings)
    bench.train("run", **settings, until=10)
    damage(bench.checkpoint("run", 10), file)
    bench.resume("run")
    assert (bench.weights("run"), bench.metrics("run")) == (bench.weights("whole"), bench.metrics("whole"))
    (incident,) = bench.lines("run", "incidents.jsonl")
    assert incident["step"] == 5
    assert file in incident["incident"]
    assert incident["incident"].endswith("; it is now quarantine-step-000000010")
    assert (bench.path("run") / "checkpoints" / "quarantine-step-000000010" / file).exists()


def test_nothing_starts_afresh_where_all_are_damaged(bench, capsys):
    bench.train("run", trainer={"save_every": 5}, until=10)
    log = bench.lines("run")
    for step in (5, 10):
        damage(bench.checkpoint("run", step), "model.safetensors")
    assert cli.run(["train", "--resume", str(bench.path("run"))]) == 2
    first, *others = capsys.readouterr().err.splitlines()
    assert "expected a whole checkpoint; got damaged ones only, which were left as they are" in first
    assert len(others) == 2
    assert (bench.steps("run"), bench.lines("run")) == ([5, 10], log)


# Plugins


class Tracker:
    """Run hooks that fail in one of them, and count their calls."""

    def __init__(self, fails):
        self.fails, self.calls = fails, []

    def _call(self, name):
        self.calls.append(name)
        if name == self.fails:
            raise ConnectionError("no\nroute")

    @hookimpl
    def diffeo_run_started(self, run):
        self._call("started")

    @hookimpl
    def diffeo_step_done(self, run, step, metrics):
        self._call("step_done")

    @hookimpl
    def diffeo_checkpoint_saved(self, run, step, path):
        self._call("checkpoint_saved")

    @hookimpl
    def diffeo_run_ended(self, run, outcome):
        self._call("ended")


@pytest.fixture
def tracked(monkeypatch):
    def install(fails):
        tracker = Tracker(fails)
        monkeypatch.setattr("diffeo.running.HookCalls", lambda plugins: HookCalls([tracker, *plugins]))
        return tracker

    return install


@pytest.mark.parametrize("fails", ["step_done", "checkpoint_saved", "ended"])
def test_a_tracker_that_fails_costs_the_run_its_tracker(fails, tracked, bench):
    bench.train("whole")
    tracker = tracked(fails)
    assert bench.train("run").outcome == "finished"
    assert (bench.weights("run"), bench.metrics("run")) == (bench.weights("whole"), bench.metrics("whole"))
    (incident,) = bench.incidents("run")
    assert "failed and are left out for the rest of the run (ConnectionError: no route)" in incident
    assert tracker.calls.count(fails) == 1
    assert tracker.calls[-1] == fails
    assert list((bench.path("run") / "tensorboard").iterdir())


def test_a_tracker_that_fails_at_the_start_ends_the_run_before_its_first_step(tracked, bench):
    tracker = tracked("started")
    with pytest.raises(ConnectionError):
        bench.train("run")
    assert (tracker.calls[0], bench.steps("run"), bench.lines("run")) == ("started", [], [])


# Steps that are not finite


def test_part_and_examples_are_named(bench):
    """Example 17 falls off a cliff after the second step of the flow."""
    order = [batch_indices(0, step, 12, 48).tolist() for step in range(4)]
    step = next(step for step, batch in enumerate(order) if 17 in batch)
    model = {"flow": {"steps": ["stretch", {"chain": {"steps": [{"stretch": {"log_scale": 0.0}}, "cliff"]}}]}}
    model["flow"]["steps"][0] = {"stretch": {"log_scale": 0.0}}
    settings = {"data": "beads", "model": model, "trainer": {"optimizer": {"sgd": {"lr": 1e-9}}, "save_every": 1}}
    with pytest.raises(diffeo.RunError) as caught:
        bench.train("run", **settings)
    text = f"loss not finite at step {step} (learning rate 1e-09); the log-weight or the output of "
    text += "steps.1.steps.1.cliff is the first that is not finite, for training examples 17"
    assert bench.incidents("run") == [text]
    assert str(caught.value).startswith(text)
    assert bench.steps("run")[-1] == step


def test_a_skipped_step_leaves_weights_and_running_statistics_alone(bench):
    model = {"flow": {"steps": [{"couple": {"norm": True}}, "stretch"]}}
    for until in (4, 5):
        bench.train(
            str(until),
            model=model,
            objective=mishap("blow_up", at=4),
            trainer={"nonfinite": "skip", "ema": 0.9, "log_every": 1},
            until=until,
        )
    assert bench.weights("4") == bench.weights("5")
    assert json.loads((bench.checkpoint("5") / "state.json").read_text())["skipped"] == 1


@pytest.mark.parametrize(
    ("first", "last", "limit", "step", "told"),
    [
        (3, 19, 4, 6, "4 steps in a row were skipped, 4 in all"),
        (3, 19, 1, 3, "1 steps in a row were skipped, 1 in all"),
    ],
)
def test_skipping_has_a_budget(first, last, limit, step, told, bench):
    with pytest.raises(diffeo.RunError, match=f"not finite at step {step} .*; {told}"):
        bench.train(
            "run",
            objective=mishap("blow_up", at=first, until=last),
            trainer={"nonfinite": "skip", "max_skipped": limit},
        )
    assert len(bench.incidents("run")) == limit


def test_what_begins_with_an_infinity_is_not_saved(bench):
    with pytest.raises(
        diffeo.RunError, match=r"weights model.steps.0.log_scale are not finite at step 0; they were not"
    ):
        bench.train("run", model={"flow": {"steps": [{"stretch": {"log_scale": float("inf")}}]}})
    assert bench.steps("run") == []
