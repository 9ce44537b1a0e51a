"""A run that is interrupted and resumed is the run that never was: weights, optimizer, moving average, log, to the bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import diffeo

PLUGIN = str(Path(__file__).parent / "plugin")

OPTIMIZERS = [
    "adam",
    {"adam": {"fused": False}},
    {"adamw": {"weight_decay": 0.1}},
    "adamax",
    "sgd",
    {"sgd": {"momentum": 0.9, "nesterov": True}},
]

EVERYTHING = {
    "schedule": {"cosine": {"warmup": 3}},
    "ema": 0.9,
    "accumulate": 2,
    "clip": 1.0,
    "workers": 2,
    "save_every": 5,
    "keep": 10,
}


def same(bench, one, other):
    return bench.weights(one) == bench.weights(other) and bench.metrics(one) == bench.metrics(other)


def mend(bench, name, mishap):
    """Let nothing go wrong from now on."""
    spec = bench.path(name) / "spec.yaml"
    spec.write_text(spec.read_text().replace(f"does: {mishap}", "does: nothing"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_forty_steps_are_twenty_and_twenty(bench, optimizer):
    settings = {"trainer": {**EVERYTHING, "steps": 40, "optimizer": optimizer}}
    bench.train("whole", **settings)
    assert bench.train("cut", **settings, until=20).outcome == "stopped"
    assert bench.resume("cut").outcome == "finished"
    assert same(bench, "whole", "cut")
    assert bench.weights("cut", 10) != bench.weights("cut", 20) != bench.weights("cut", 40)


def test_a_cut_at_any_step_of_an_epoch_leaves_no_trace(bench):
    """Also between two lines of the log, whose means then span the cut."""
    settings = {"trainer": {**EVERYTHING, "steps": 12}}
    bench.train("whole", **settings)
    for step in range(4, 9):
        bench.train(f"cut-{step}", **settings, until=step)
        bench.resume(f"cut-{step}")
        assert same(bench, "whole", f"cut-{step}"), step


def test_a_run_in_slices_of_one_step(bench):
    settings = {"trainer": {"steps": 5, "save_every": 1}}
    bench.train("whole", **settings)
    bench.train("sliced", **settings, until=1)
    for step in range(2, 6):
        bench.resume("sliced", until=step)
    assert same(bench, "whole", "sliced")


def test_batch_normalisation_and_strict_mode_resume_too(bench):
    for name, settings in {
        "norm": {"model": {"flow": {"steps": [{"couple": {"norm": True}}]}}},
        "strict": {"trainer": {"strict": True, "shards": 4}},
    }.items():
        bench.train(name, **settings)
        bench.train(f"{name}-cut", **settings, until=7)
        bench.resume(f"{name}-cut")
        assert same(bench, name, f"{name}-cut"), name


def test_skipped_steps_are_counted_across_a_cut(bench):
    settings = {
        "objective": {"mishap": {"does": "blow_up", "at": 4, "until": 19}},
        "trainer": {"nonfinite": "skip", "max_skipped": 6},
    }
    bench.train("cut", **settings, until=8)
    with pytest.raises(diffeo.RunError, match=r"step 9 .*; 6 steps in a row were skipped, 6 in all"):
        bench.resume("cut")


def test_a_finished_run_is_left_as_it_is(bench):
    bench.train("run")
    before = bench.weights("run"), bench.lines("run")
    assert bench.resume("run").outcome == "finished"
    assert (bench.weights("run"), bench.lines("run")) == before


def test_a_run_that_ended_before_its_first_checkpoint_begins_again(bench):
    with pytest.raises(KeyError):
        bench.train("run", objective={"mishap": {"does": "raise", "at": 7}})
    assert (bench.steps("run"), len(bench.lines("run"))) == ([], 3)
    mend(bench, "run", "raise")
    bench.resume("run")
    bench.train("whole", objective="mishap")
    assert same(bench, "whole", "run")


def test_other_surroundings_are_told(bench):
    bench.train("run", until=10)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with pytest.warns(UserWarning, match=rf"other threads {threads} -> {threads + 1}: results differ by rounding"):
            bench.resume("run")
    finally:
        torch.set_num_threads(threads)


# After a crash


def command_line(*arguments):
    """In a process of its own, as a user would; TensorBoard orders files by the second and the process that began them."""
    command = [sys.executable, "-m", "diffeo", "train", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": PLUGIN, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, timeout=60, check=False, capture_output=True, text=True)


@pytest.fixture(params=[10, pytest.param(None, marks=pytest.mark.long)], ids=["a checkpoint", "no checkpoint"])
def crashed(bench, request):
    """A run that was killed at step 17, seven steps after its last checkpoint or before its first, and resumed."""
    killed = {"does": "signal", "number": 9, "at": 17}
    settings = {"trainer": {"save_every": request.param, "log_every": 1}}
    spec = bench.write("spec", **settings, objective={"mishap": killed})
    done = command_line(spec, "--out", bench.path("run"))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [row["step"] for row in bench.lines("run")][-1] == 17
    mend(bench, "run", "signal")
    with (bench.path("run") / "metrics.jsonl").open("a") as log:
        log.write('{"step": 18, "lo')  # as if it had been cut off while writing
    done = command_line("--resume", bench.path("run"))
    assert done.returncode == 0, done.stderr
    bench.train("whole", **settings, objective="mishap")
    return bench


def test_after_a_kill_no_step_is_missing_or_twice(crashed):
    assert same(crashed, "whole", "run")
    events = EventAccumulator(str(crashed.path("run") / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 21))
    assert [event.step for event in events.Scalars("val/loss")] == [0, 10, 20]
