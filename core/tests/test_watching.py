"""What a person sees of a run, what of it is kept, and that looking changes nothing."""

import pickle

import pytest
import torch

import diffeo
from diffeo import checkpoints
from diffeo.feed import Feed
from diffeo.step_trace import shares, traced

SMALL_STEPS = {"optimizer": {"sgd": {"lr": 1e-4}}}


def rows_with(bench, name, key):
    return [row for row in bench.lines(name) if key in row]


# The log


def test_a_line_of_the_log_says_how_fast_how_large_how_steep(bench):
    bench.train("run", trainer={**SMALL_STEPS, "schedule": "cosine"})
    rows = rows_with(bench, "run", "loss")
    assert [row["step"] for row in rows] == [3, 6, 9, 12, 15, 18]
    for row in rows:
        assert row.keys() >= {"grad_norm", "lr", "steps_per_second", "examples_per_second", "memory_mib", "time"}
        assert row["examples_per_second"] == pytest.approx(12 * row["steps_per_second"])
        assert min(row["grad_norm"], row["memory_mib"], row["steps_per_second"]) > 0
    rates = [row["lr"] for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 1e-4


def test_numbers_of_a_line_are_means_over_its_steps(bench):
    for name, every in (("each", 1), ("third", 3)):
        bench.train(name, trainer={"log_every": every})
    each = [row["loss"] for row in rows_with(bench, "each", "loss")]
    for index, row in enumerate(rows_with(bench, "third", "loss")):
        assert row["loss"] == pytest.approx(sum(each[3 * index : 3 * index + 3]) / 3, rel=1e-6)


def test_log_weights_of_the_parts_add_up_to_log_p(bench):
    """Of the training examples that come next, with the weights of that step."""
    small = {"stretch": {"log_scale": -4.0}}
    model = {"flow": {"steps": [small, {"repeat": {"times": 2, "steps": [{"couple": {}}, "sinh"]}}]}}
    run = bench.train("run", model=model, trainer={**SMALL_STEPS, "precision": "float64", "save_every": 10, "keep": 9})
    rows = [row for row in rows_with(bench, "run", "val/loss") if row["step"]]
    assert len(rows) == 2
    for row in rows:
        parts = {name: value for name, value in row.items() if name.startswith("log_weight/")}
        assert list(parts)[-1] == "log_weight/base.standard_normal"
        batch = Feed(run.data, 0, 12, [slice(0, 12)]).batch(row["step"], 0)["x"].double()
        with torch.no_grad():
            log_p = diffeo.load(bench.checkpoint("run", row["step"])).log_prob(batch).mean()
        assert sum(parts.values()) == pytest.approx(float(log_p), rel=1e-12)


def test_a_part_that_is_built_of_others_counts_once(bench):
    small = {"stretch": {"log_scale": 4.0}}
    model = {"flow": {"steps": [{"invert": {"steps": [small, {"couple": {}}]}}, {"chain": {"steps": ["sinh"]}}]}}
    flow = bench.train("run", model=model, until=1).model
    x = torch.randn(5, 2)
    with torch.no_grad(), traced(flow) as trace:
        log_p = flow.log_prob(x)
    assert sum(shares(trace).values()) == pytest.approx(float(log_p.mean()), rel=1e-5)


def test_log_weights_are_those_of_the_way_there():
    """An objective that decodes what it encoded passes every step a second time, with the other sign."""
    flow = diffeo.build("model", {"flow": {"steps": ["stretch"]}}, shape=(2,))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.fill_(0.3)
    x = torch.randn(5, 2)
    with torch.no_grad(), traced(flow) as trace:
        log_p = flow.log_prob(x)
        flow.decode(flow.encode(x)[0])
    assert sum(shares(trace).values()) == pytest.approx(float(log_p.mean()), rel=1e-5)
    assert not [name for part in flow.modules() for name in vars(part) if name in ("augment", "inverse", "log_prob")]


# Looking changes nothing

LOOKING = {
    "threads that fetch": {"trainer": {"workers": 3}},
    "more lines": {"trainer": {"log_every": 1}},
    "fewer lines": {"trainer": {"log_every": 100}},
    "more validation": {"trainer": {"eval_every": 1}},
    "no validation": {"trainer": {"eval_examples": 0}},
    "more checkpoints": {"trainer": {"save_every": 1, "keep": 1}},
    "the best checkpoints": {"trainer": {"save_every": 3, "keep_best": 2}},
    "evaluators": {"evaluators": [{"likelihood": {"split": "val"}}]},
}


@pytest.fixture(scope="module")
def unwatched(parts, tmp_path_factory):
    from acme_parts.bench import Bench

    bench = Bench(tmp_path_factory.mktemp("unwatched"))
    return bench, bench.train("run", trainer={"ema": 0.9})


@pytest.mark.parametrize("case", LOOKING)
def test_looking_does_not_change_training(case, bench, unwatched):
    other = {key: value for key, value in LOOKING[case].items() if key != "trainer"}
    bench.train("run", trainer={"ema": 0.9, **LOOKING[case].get("trainer", {})}, **other)
    expected, _ = unwatched
    files = [checkpoints.read(one.checkpoint("run", 20)).files for one in (bench, expected)]
    assert files[0]["model.safetensors"] == files[1]["model.safetensors"]
    raw = [training_tensors(one["training.safetensors"]) for one in files]
    assert raw[0].keys() == raw[1].keys()
    assert all(torch.equal(tensor, raw[1][name]) for name, tensor in raw[0].items())


def training_tensors(data):
    """Raw weights and optimizer slots; the window of the log depends on when it was last written."""
    from diffeo.tensor_files import parse_tensors

    return {name: tensor for name, tensor in parse_tensors(data, "")[1].items() if not name.startswith("window.")}


# What is kept


@pytest.mark.parametrize("eval_every", [2, 7])
def test_checkpoints_of_lowest_validation_loss_stay_beside_the_newest(eval_every, bench):
    """The loss is lowest in the middle: the rate is so high that training overshoots."""
    settings = {"save_every": 2, "optimizer": {"sgd": {"lr": 3e-3, "momentum": 0.95}}}
    model, data = {"flow": {"steps": [{"stretch": {"log_scale": -4.0}}]}}, {"beads": {"shake": 1.0}}
    bench.train("all", model=model, data=data, trainer={**settings, "keep": 20, "eval_every": 2})
    losses = {row["step"]: row["val/loss"] for row in rows_with(bench, "all", "val/loss") if row["step"]}
    best = sorted(losses, key=losses.__getitem__)[:3]
    bench.train(
        "run", model=model, data=data, trainer={**settings, "keep": 2, "keep_best": 3, "eval_every": eval_every}
    )
    assert bench.steps("run") == sorted({18, 20, *best})
    assert set(best) != {16, 18, 20}


def test_the_newest_stay(bench):
    bench.train("run", trainer={"save_every": 3, "keep": 3})
    assert bench.steps("run") == [15, 18, 20]


# No pickle


def test_no_pickle_is_read_or_written(bench, monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("a pickle")

    def everything(name):
        bench.train(name, **settings, until=10)
        assert bench.resume(name).outcome == "finished"
        diffeo.load(bench.path(name)).sample((2,))
        diffeo.evaluate(bench.path(name))

    settings = {
        "trainer": {"save_every": 5, "ema": 0.9, "workers": 2},
        "evaluators": [{"likelihood": {"split": "val"}}],
    }
    everything("before")  # so that no module is imported below, which might keep what stands there for itself
    for name in ("load", "loads", "dump", "dumps", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    for name in ("load", "save"):
        monkeypatch.setattr(torch, name, refuse)
    everything("run")
    starts = [path.read_bytes()[:2] for path in bench.path("run").rglob("*") if path.is_file()]
    assert not [start for start in starts if start == b"PK" or start[:1] == b"\x80"]
