"""Whatever happens to one of several processes, all of them do the same, the user is told which, and no one is left behind."""

import json
import os
import random
import re
import signal

import pytest

from diffeo.run_lock import RunLock
from diffeo.sampling import batch_indices

pytestmark = pytest.mark.filterwarnings("ignore:the run goes on with other")

STRICT = {"strict": True, "shards": 4, "save_every": 5, "keep": 100, "log_every": 1}
"""One process in this one then leaves the same bytes as several, so that starting those twice is not necessary."""


def mishap(does, *, rank=1, **fields):
    return {"mishap": {"does": does, "rank": rank, **fields}}


def incident_steps(bench, name="run"):
    return [row["step"] for row in bench.lines(name, "incidents.jsonl")]


def same_as_uninterrupted(bench, name="run", **trainer):
    bench.train("whole", trainer={**STRICT, **trainer}, objective="mishap")
    steps = [row["step"] for row in bench.lines(name) if "loss" in row]
    assert steps == list(range(1, trainer.get("steps", 20) + 1))
    return bench.weights(name) == bench.weights("whole")


# A process that dies


@pytest.mark.parametrize("out", [True, pytest.param(False, marks=pytest.mark.long)], ids=["--out", "default folder"])
def test_a_killed_process_is_named_and_the_run_goes_on_by_itself(out, bench, torchrun):
    spec = bench.write("spec", trainer=STRICT, objective=mishap("signal", number=9, at=13))
    status, _, err = torchrun("train", spec, *(["--out", bench.path("run")] if out else []), restarts=1)
    assert status == 0, err
    assert re.search(r"rank 1 \(.+, process \d+\) did not answer at step 13: it died, hangs, or", err)
    name = "run" if out else "runs/spec-1"
    assert len(list(bench.path(name).parent.glob("spec-*/spec.yaml"))) == (0 if out else 1)
    assert same_as_uninterrupted(bench, name)


@pytest.mark.long
def test_without_strict_mode_the_bits_are_those_of_as_many_processes(bench, torchrun):
    plain = {"save_every": 5, "ema": 0.9, "log_every": 1, "workers": 2}
    for name, objective in (("run", mishap("signal", number=9, at=13)), ("whole", "mishap")):
        spec = bench.write(name, trainer=plain, objective=objective)
        status, _, err = torchrun("train", spec, "--out", bench.path(name), restarts=1)
        assert status == 0, err
    assert (bench.weights("run"), bench.metrics("run")) == (bench.weights("whole"), bench.metrics("whole"))


@pytest.mark.long
def test_the_main_process_may_be_the_one_that_is_killed(bench, torchrun):
    spec = bench.write("spec", trainer=STRICT, objective=mishap("signal", number=9, at=13, rank=0))
    status, _, err = torchrun("train", spec, "--out", bench.path("run"), restarts=1)
    assert status == 0, err
    assert same_as_uninterrupted(bench)


def test_processes_end_with_torchrun_however_it_ends(bench, torchrun):
    trainer = {**STRICT, "steps": 100_000, "save_every": None}
    spec = bench.write("spec", trainer=trainer, objective=mishap("signal_launcher", number=9, at=7, seconds=0.01))
    process = torchrun.start("train", spec, "--out", bench.path("run"))
    status, _, _ = torchrun.finish(process)
    assert status == -signal.SIGKILL
    torchrun.wait_until_gone()
    with RunLock(bench.path("run")):
        pass


@pytest.mark.long
def test_ten_restarts_in_a_row_do_not_hang(bench, torchrun):
    spec = bench.write("spec", trainer=STRICT, objective=mishap("signal", number=9, at=3, attempts=10))
    status, _, err = torchrun("train", spec, "--out", bench.path("run"), restarts=10, limit=300)
    assert status == 0, err
    assert same_as_uninterrupted(bench)


@pytest.mark.long
def test_a_storm_of_kills_leaves_no_trace(bench, torchrun):
    rng, trainer = random.Random(0), {**STRICT, "steps": 150}
    spec = bench.write("spec", trainer=trainer, objective=mishap("nothing", seconds=0.02))
    process = torchrun.start("train", spec, "--out", bench.path("run"), restarts=5)
    for _ in range(5):
        goal = len(bench.steps("run")) + rng.randrange(1, 4)
        torchrun.wait_for(lambda goal=goal: len(bench.steps("run")) >= goal)
        os.kill(torchrun.worker(rng.randrange(2)), signal.SIGKILL)
    status, _, err = torchrun.finish(process)
    assert status == 0, err
    assert same_as_uninterrupted(bench, steps=150)


# Signals


@pytest.mark.parametrize(
    "whom", ["signal", pytest.param("signal_launcher", marks=pytest.mark.long)], ids=["to one", "to torchrun"]
)
def test_sigterm_saves_at_a_step_that_all_agree_on(whom, bench, torchrun):
    trainer = {**STRICT, "steps": 400, "save_every": None}
    spec = bench.write("spec", trainer=trainer, objective=mishap(whom, at=7, seconds=0.02))
    status, out, err = torchrun("train", spec, "--out", bench.path("run"))
    assert status != 0
    (step,) = bench.steps("run")
    assert out.count(f"stopped at step {step}; go on with: diffeo train --resume {bench.path('run')}") == 1
    if whom == "signal":
        assert step == 8
        assert "exitcode  : 143" in err
    bench.train("whole", trainer=trainer, objective="mishap", until=step)
    assert bench.weights("run") == bench.weights("whole")
    torchrun.wait_until_gone()


# One process alone is at fault


@pytest.mark.long
@pytest.mark.parametrize("strict", [True, False])
def test_a_process_that_hangs_is_named_and_shows_where(strict, bench, torchrun):
    trainer = STRICT if strict else {"save_every": 5}
    spec = bench.write("spec", trainer={**trainer, "timeout": 3}, objective=mishap("hang"))
    status, _, err = torchrun("train", spec, "--out", bench.path("run"))
    assert status == 1
    assert re.search(r"rank 1 \(.+\) did not answer at step 7", err)
    assert "in _go_wrong" in err  # the stack of the process that hangs
    assert bench.steps("run") == [5]
    torchrun.wait_until_gone()


@pytest.mark.long
def test_an_error_in_one_process_ends_all_and_is_told_once(bench, torchrun):
    spec = bench.write("spec", trainer=STRICT, objective=mishap("raise"))
    status, _, err = torchrun("train", spec, "--out", bench.path("run"))
    assert status == 1
    assert err.count("rank 1: KeyError: 'a mishap'") == 1
    assert "Traceback" not in err.partition("torch/distributed/elastic")[0]  # which adds its own
    assert bench.steps("run") == [5]
    torchrun.wait_until_gone()


def test_an_infinity_of_one_process_is_one_decision_of_all(bench, torchrun):
    """Example 17 is in the part of one process. The step is skipped by both, running statistics included; then the run is
    to stop there."""
    settings = {"data": "beads", "model": {"flow": {"steps": ["cliff", {"couple": {"norm": True}}]}}}
    trainer = {"nonfinite": "skip", "save_every": 1, "keep": 100, "steps": 8, "log_every": 1}
    batches = [batch_indices(0, step, 12, 48).tolist() for step in range(8)]
    bad = [step for step, batch in enumerate(batches) if 17 in batch]
    texts = [
        f"loss not finite at step {step} (learning rate 0.001); rank {batches[step].index(17) // 6}: the log-weight or the "
        "output of steps.0.cliff is the first that is not finite, for training examples 17"
        for step in bad
    ]
    for name, more in (("skip", {}), ("stop", {"nonfinite": "stop"})):
        bench.write(name, **settings, trainer=trainer | more)
    lines = [["train", bench.path(f"{name}.yaml"), "--out", bench.path(name)] for name in ("skip", "stop")]
    first, second = torchrun.several(lines)
    assert [[one["status"] for one in rank] for rank in (first, second)] == [[0, 1], [0, 1]]
    assert bench.incidents("skip") == texts
    assert bench.steps("skip")[-1] == 8
    for step in bad:
        before, after = (bench.weights("skip", step + late) for late in (0, 1)) if step else (1, 1)
        assert before == after
    assert json.loads((bench.checkpoint("skip") / "state.json").read_text())["skipped"] == len(bad)
    assert bench.incidents("stop") == texts[:1]
    assert bench.steps("stop")[-1] == bad[0]
    assert texts[0] in first[1]["err"]


@pytest.mark.long
def test_weights_that_have_come_apart_are_not_saved(bench, torchrun):
    spec = bench.write("spec", trainer={"save_every": 5}, objective=mishap("drift"))
    status, _, err = torchrun("train", spec, "--out", bench.path("run"))
    assert status == 1
    assert re.search(r"the weights of rank [01] are not those of the others at step 10", err)
    assert bench.steps("run") == [5]


@pytest.mark.long
def test_a_parameter_that_takes_no_part_is_named(bench, torchrun):
    spec = bench.write("spec", objective=mishap("leave_out"))
    status, _, err = torchrun("train", spec, "--out", bench.path("run"))
    assert status == 1
    assert "expected every trainable parameter to take part in a step; got none of objective.idle" in err


@pytest.mark.long
@pytest.mark.parametrize("until", [10, 1000])
def test_all_go_on_or_end_where_the_main_process_cannot_save(until, bench, torchrun):
    full = mishap("fill_disk", rank=0, at=7, until=until)
    spec = bench.write("spec", trainer={**STRICT, "save_every": 2}, objective=full)
    status, _, err = torchrun("train", spec, "--out", bench.path("run"))
    if until == 10:
        assert status == 0, err
        assert same_as_uninterrupted(bench, save_every=2)
    else:
        assert status == 1
        assert "could not save 3 checkpoints in a row" in err
        assert bench.steps("run") == [2, 4, 6]


@pytest.mark.long
def test_a_second_launch_into_the_same_run_is_refused(bench, torchrun):
    trainer = {**STRICT, "steps": 100_000}
    spec = bench.write("spec", trainer=trainer, objective=mishap("nothing", seconds=0.02))
    first = torchrun.start("train", spec, "--out", bench.path("run"))
    torchrun.wait_for(lambda: bench.steps("run"))
    status, _, err = torchrun("train", "--resume", bench.path("run"))
    assert status == 1
    assert err.count("expected a run folder that nobody is writing; got one that process") == 1
    first.send_signal(signal.SIGTERM)
    _, out, _ = torchrun.finish(first)
    assert "stopped at step" in out
