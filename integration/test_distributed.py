"""How many processes train is nobody's business: the same data, the same results to rounding, on demand the same bits."""

import json

import pytest
import torch
from torch.testing import assert_close

import diffeo

pytestmark = pytest.mark.filterwarnings("ignore:the run goes on with other")

STRICT = {"strict": True, "shards": 4, "save_every": 5, "workers": 1}
UNEVEN = {"likelihood": {"split": "val", "batch_size": 7}}
EXACT = {"flow": {"steps": [{"couple": {}}, "stretch", {"couple": {"swap": True}}]}}
NOISY = {"flow": {"steps": [{"couple": {"dropout": 0.3}}, "append", "stretch"], "dequantization": "jitter"}}

SETTINGS = {
    "exact": {
        "model": EXACT,
        "trainer": {"precision": "float64", "accumulate": 2, "ema": 0.9, "clip": 1e4},
        "evaluators": [UNEVEN],
    },
    "strict": {"model": NOISY, "trainer": STRICT, "evaluators": [UNEVEN]},
    "norm": {"model": {"flow": {"steps": [{"couple": {"norm": True}}, "stretch"]}}, "trainer": {"nonfinite": "skip"}},
}


def commands(bench, suffix, *names):
    found = []
    for name in names:
        spec = bench.write(name, **SETTINGS[name])
        found.append(["train", spec, "--out", bench.path(f"{name}-{suffix}")])
    return found


@pytest.fixture
def two(bench, torchrun):
    """Runs of two processes: three kinds, a cut one gone on with, and an evaluation, all by the same processes."""
    again = ["train", "--resume", bench.path("cut-2")]
    cut = [*commands(bench, "2", "strict")[0][:3], bench.path("cut-2"), "--until", 7]
    lines = [*commands(bench, "2", "exact", "strict", "norm"), cut, again, ["evaluate", bench.path("strict-2")]]
    results = torchrun.several(lines)
    for rank in results:
        assert [one["status"] for one in rank] == [0] * len(lines), rank
    return results


def test_two_processes_and_one(two, bench):
    """Each rule on the same runs, since starting processes is what takes the time."""
    for name in ("exact", "strict", "norm"):
        bench.train(f"{name}-1", **SETTINGS[name])
    only_the_main_process_speaks_and_writes(two, bench)
    exact_training_agrees_to_rounding(bench)
    strict_training_agrees_to_the_bit(bench)
    validation_is_the_same_number(bench)
    a_cut_leaves_no_trace(bench)
    running_statistics_are_shared(bench)


def only_the_main_process_speaks_and_writes(two, bench):
    assert not [one for one in two[1] if one["out"] or one["err"]]
    assert [one["out"].count("report: ") for one in two[0]] == [1, 1, 1, 0, 1, 1]
    for name in ("exact", "strict", "norm"):
        assert len(list((bench.path(f"{name}-2") / "tensorboard").iterdir())) == 1
        steps = [row["step"] for row in bench.lines(f"{name}-2") if "loss" in row]
        assert steps == [3, 6, 9, 12, 15, 18]


def exact_training_agrees_to_rounding(bench):
    one, two = (diffeo.load(bench.path(f"exact-{count}")).state_dict() for count in (1, 2))
    for name, tensor in one.items():
        assert tensor.dtype == torch.float64
        assert_close(tensor, two[name], rtol=1e-12, atol=1e-12)
    for row, other in zip(bench.metrics("exact-1"), bench.metrics("exact-2"), strict=True):
        shared = [key for key in row if not key.startswith("log_weight")]
        assert {key: other[key] for key in shared} == pytest.approx({key: row[key] for key in shared}, rel=1e-9)


def strict_training_agrees_to_the_bit(bench):
    for step in (15, 20):
        assert bench.weights("strict-1", step) == bench.weights("strict-2", step)
    assert losses(bench, "strict-1") == losses(bench, "strict-2")


def losses(bench, name):
    """Log-weights are those of the main process's part of the batch."""
    return [{k: row[k] for k in row if not k.startswith("log_weight")} for row in bench.metrics(name)]


def validation_is_the_same_number(bench):
    """Twenty examples in batches of 12 and 8, and of 7, 7 and 6."""
    for name in ("validation", "report"):
        found = []
        for count in (1, 2):
            path = bench.path(f"strict-{count}")
            rows = [row for row in bench.metrics(path.name) if "val/loss" in row]
            numbers = json.loads((path / "report" / "metrics.json").read_text())
            found.append([row["val/loss"] for row in rows] if name == "validation" else numbers)
        assert found[0] == found[1]


def a_cut_leaves_no_trace(bench):
    assert bench.weights("cut-2") == bench.weights("strict-2")
    assert bench.metrics("cut-2") == bench.metrics("strict-2")


def running_statistics_are_shared(bench):
    """Each process normalises by its own examples, yet all save the same statistics: those of the first alone differ."""
    mean = diffeo.load(bench.path("norm-2")).state_dict()["steps.0.network.1.running_mean"]
    assert torch.isfinite(mean).all()
    assert_close(
        mean, diffeo.load(bench.path("norm-1")).state_dict()["steps.0.network.1.running_mean"], rtol=0.1, atol=0.5
    )


def test_four_processes_and_any_number_of_threads_leave_the_same_bits(bench, torchrun):
    torchrun.several(commands(bench, "4", "strict"), processes=4, OMP_NUM_THREADS="2")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        bench.train("strict-1", **SETTINGS["strict"])
    finally:
        torch.set_num_threads(threads)
    assert bench.weights("strict-1") == bench.weights("strict-4")
    assert losses(bench, "strict-1") == losses(bench, "strict-4")


def test_strict_mode_refuses_batch_normalisation_in_one_line(bench):
    with pytest.raises(
        diffeo.DiffeoError, match=r"trainer.strict: expected a model without batch normalisation.*steps.0"
    ):
        bench.train("run", model=SETTINGS["norm"]["model"], trainer=STRICT)
    assert not bench.path("run").exists()


@pytest.mark.parametrize(
    ("trainer", "line"),
    [
        (
            {"batch_size": 15},
            "trainer.batch_size: expected a multiple of the number of processes times accumulate, 2 x 1",
        ),
        ({"strict": True, "shards": 3}, "trainer.shards: expected a multiple of the number of processes, 2; got 3"),
    ],
)
@pytest.mark.long
def test_a_batch_that_does_not_divide_is_told_once(trainer, line, bench, torchrun):
    spec = bench.write("spec", trainer=trainer)
    status, _, err = torchrun("train", spec, "--out", bench.path("run"))
    assert status == 1  # torchrun's own; each process ended with 2
    assert len([text for text in err.splitlines() if line in text]) == 1
    assert "exitcode  : 2" in err
    assert not bench.path("run").exists()


def test_other_numbers_of_processes_are_told(bench, torchrun):
    """Two processes, resumed by one."""
    settings = {"trainer": {"steps": 10}}
    spec = bench.write("spec", **settings)
    torchrun.several([["train", spec, "--out", bench.path("run"), "--until", 5]])
    with pytest.warns(UserWarning, match=r"the run goes on with other processes 2 -> 1"):
        assert bench.resume("run").outcome == "finished"


@pytest.mark.long
@pytest.mark.parametrize("memory", ["store", "checkpoint"])
def test_a_compiled_run_of_two_processes_has_clean_names(memory, bench, torchrun):
    settings = {"model": EXACT, "trainer": {"compile": True, "precision": "float64", "memory": memory}}
    spec = bench.write("spec", **settings)
    status, _, err = torchrun("train", spec, "--out", bench.path("run"), limit=300)
    assert status == 0, err
    bench.train("plain", **(settings | {"trainer": {"precision": "float64"}}))
    compiled, plain = (diffeo.load(bench.path(name)).state_dict() for name in ("run", "plain"))
    assert list(compiled) == list(plain)
    for name, tensor in plain.items():
        assert_close(compiled[name], tensor, rtol=1e-9, atol=1e-9)
