"""Many seeds at once: the same runs as one by one, whatever the optimizer, and a summary over them."""

import json
import math
import statistics

import pytest
from torch.testing import assert_close

import diffeo
from diffeo import cli
from diffeo.seed_checks import BatchRefusedError
from diffeo.seed_names import parse_seeds
from diffeo.seed_runs import Spread
from diffeo.seed_together import train_together
from diffeo.spec_loading import reseeded
from diffeo.stop_signals import StoppedError
from diffeo.tensor_files import read_tensors
from diffeo.world import World

TRAINER = {"steps": 12, "batch_size": 8, "log_every": 3, "eval_every": 6, "precision": "float64"}
MODEL = {"flow": {"steps": ["center", "stretch", {"couple": {}}, {"couple": {"swap": True}}]}}
NOISY = {"flow": {"steps": ["stretch", "append"]}}
HANDED = {"flow": {"steps": ["center", "stretch", {"append": {"handed": True}}, "stretch"]}}
"""A flow whose noise comes from diffeo."""
DRAWN = {"flow": {"steps": ["center", "stretch", {"append": {"drawn": True}}, "stretch"], "base": "diagonal_normal"}}
"""A flow that draws from a distribution with parameters."""
CLIFF = {"flow": {"steps": [{"couple": {}}, {"cliff": {"at": 17}}]}}
"""With one bead a step, seed 2 meets bead 17 at step 16 and seed 0 does not meet it in 20 steps."""

OPTIMIZERS = [
    "adam",
    {"adam": {"fused": False, "weight_decay": 0.1}},
    "adamw",
    "adamax",
    "sgd",
    {"sgd": {"momentum": 0.9, "nesterov": True}},
]
TIMED = {"time", "steps_per_second", "examples_per_second", "memory_mib"}


@pytest.fixture
def spec(bench):
    def make(**sections):
        trainer = TRAINER | sections.pop("trainer", {})
        return bench.spec(
            data=sections.pop("data", "blob"), model=sections.pop("model", MODEL), trainer=trainer, **sections
        )

    return make


def one_by_one(spec, path, seeds, **more):
    for seed in seeds:
        diffeo.train(reseeded(spec, seed), path / f"seed-{seed}", show_progress=False, **more)


def together(spec, path, seeds, *, until=None):
    """As one batch of models, or not at all."""
    specs = {path / f"seed-{seed}": reseeded(spec, seed) for seed in seeds}
    return train_together(specs, World(), until, show_progress=False)


def at_once(spec, path, seeds, **more):
    return diffeo.train_seeds(spec, seeds, path, show_progress=False, **more)


def assert_same_runs(ours, theirs, seeds, *, atol=1e-12):
    """The same checkpoints, to rounding, the same lines in the logs and the same results."""
    for seed in seeds:
        mine, other = ours / f"seed-{seed}", theirs / f"seed-{seed}"
        files = sorted(path.relative_to(other) for path in other.glob("checkpoints/*/*.safetensors"))
        assert files
        for file in files:
            got, want = (read_tensors(root / file)[1] for root in (mine, other))
            assert_close(got, want, atol=atol, rtol=10 * atol)
        for got, want in zip(lines(mine), lines(other), strict=True):
            assert_close(got, want, atol=1e-10, rtol=1e-12)
        results = [root / "report" / "metrics.json" for root in (mine, other)]
        assert_close(*(json.loads(path.read_text()) for path in results), atol=1e-10, rtol=1e-12)


def lines(folder):
    """The lines of the log, without what has to do with time."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in sorted(row) if key not in TIMED} for row in rows]


# A batch of models is its models


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_batch_of_models_equals_separate_runs(optimizer, spec, tmp_path):
    settings = {"optimizer": optimizer, "clip": 0.5, "ema": 0.9, "schedule": {"cosine": {"warmup": 3}}, "save_every": 5}
    whole = spec(trainer=settings, evaluators=[{"likelihood": {"split": "val"}}])
    runs = together(whole, tmp_path / "ours", (0, 3, 4))
    one_by_one(whole, tmp_path / "theirs", (0, 3, 4))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 3, 4))
    assert {run.outcome for run in runs.values()} == {"finished"}
    assert len({run.metrics["likelihood/log_prob"] for run in runs.values()}) == 3


@pytest.mark.parametrize("first", ["together", "one by one"])
def test_a_cut_batch_goes_on_either_way(first, spec, tmp_path):
    whole = spec(trainer={"ema": 0.9, "clip": 0.5})
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    if first == "together":
        together(whole, tmp_path / "ours", (0, 1), until=5)
        for seed in (0, 1):
            diffeo.resume(tmp_path / "ours" / f"seed-{seed}", show_progress=False)
    else:
        one_by_one(whole, tmp_path / "ours", (0, 1), until=5)
        together(whole, tmp_path / "ours", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))


@pytest.mark.parametrize("model", [HANDED, DRAWN], ids=["handed", "drawn"])
def test_noise_that_diffeo_draws_is_that_of_separate_runs(model, spec, tmp_path):
    noisy = spec(model=model, trainer={"save_every": 5})
    together(noisy, tmp_path / "ours", (0, 1, 4))
    one_by_one(noisy, tmp_path / "theirs", (0, 1, 4))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1, 4))


def test_a_cut_batch_goes_on_with_the_same_noise(spec, tmp_path):
    noisy = spec(model=HANDED)
    together(noisy, tmp_path / "ours", (0, 1), until=5)
    together(noisy, tmp_path / "ours", (0, 1))
    together(noisy, tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1), atol=0)


def test_seeds_that_stand_at_different_steps_go_on_together(spec, tmp_path):
    whole = spec(trainer={"ema": 0.9})
    one_by_one(whole, tmp_path / "theirs", (0, 1, 2, 3))
    one_by_one(whole, tmp_path / "ours", (0, 1), until=5)
    one_by_one(whole, tmp_path / "ours", (2,), until=7)
    together(whole, tmp_path / "ours", (0, 1, 2, 3))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1, 2, 3))


def test_contexts_batches_that_are_fetched_one_by_one_and_float32(spec, tmp_path):
    model = {"flow": {"steps": ["stretch"], "context_network": "lift"}}
    settings = {"batch_size": 700, "precision": "float32", "optimizer": {"sgd": {"lr": 1e-3}}}
    whole = spec(data={"blob": {"conditional": True}}, model=model, trainer=settings)
    together(whole, tmp_path / "ours", (0, 1))
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    for seed in (0, 1):
        ours, theirs = (diffeo.load(tmp_path / name / f"seed-{seed}").state_dict() for name in ("ours", "theirs"))
        assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("does", ["nothing", "tie", "freeze"])
def test_parameters_that_are_shared_or_fixed(does, spec, tmp_path):
    whole = spec(model={"flow": {"steps": [{"quirk": {"does": does}}, "stretch"]}})
    together(whole, tmp_path / "ours", (0, 1))
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))


# Where there is no batch


def quirk(does):
    return {"model": {"flow": {"steps": ["stretch", {"quirk": {"does": does}}]}}}


REFUSED = {
    "noise": ({"model": NOISY}, "the step draws noise"),
    "batch normalisation": ({"model": {"flow": {"steps": [{"couple": {"norm": True}}]}}}, "a step changes the buffer"),
    "a count": (quirk("count"), r"a step changes the buffer model\.steps\.1\.calls"),
    "a count anew": (quirk("replace"), r"a step changes the buffer model\.steps\.1\.calls"),
    "a number": (quirk("number"), "the models differ in more than their tensors"),
    "an idle parameter": (quirk("idle"), r"model\.steps\.1\.extra takes no part in a step"),
    "an optimizer of tensors": ({"trainer": {"optimizer": "unit"}}, "UnitOptimizer is not known to treat every number"),
    "a large model": ({"model": {"flow": {"steps": [{"couple": {"hidden": 100_000}}]}}}, "has 400,002 parameters"),
    "accumulate": ({"trainer": {"accumulate": 2}}, "trainer.accumulate"),
    "strict": ({"trainer": {"strict": True}}, "trainer.strict"),
    "bfloat16": ({"trainer": {"precision": "bfloat16"}}, "trainer.precision: bfloat16"),
    "memory": ({"trainer": {"memory": "checkpoint"}}, "trainer.memory: checkpoint"),
    "skip": ({"trainer": {"nonfinite": "skip"}}, "trainer.nonfinite: skip"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_batched_is_refused_before_anything_is_written(reason, spec, tmp_path):
    sections, words = REFUSED[reason]
    with pytest.raises(BatchRefusedError, match=words):
        together(spec(**sections), tmp_path / "batch", (0, 1))
    assert not (tmp_path / "batch").exists()


def test_many_parameters_in_small_tensors_are_batched(spec, tmp_path, monkeypatch):
    monkeypatch.setattr("diffeo.seed_checks.LARGEST", 10)
    together(spec(), tmp_path / "batch", (0, 1))
    assert (tmp_path / "batch" / "seed-1").exists()


def test_what_cannot_be_batched_is_trained_one_by_one(spec, tmp_path, capsys):
    result = diffeo.train_seeds(spec(model=NOISY), (0, 1), tmp_path / "ours")
    assert result.is_finished
    assert "one seed after another: the step draws noise" in capsys.readouterr().err
    one_by_one(spec(model=NOISY), tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1), atol=0)


def test_noise_that_begins_later_ends_the_batch_and_no_run(spec, tmp_path, capsys):
    whole = spec(objective={"mishap": {"does": "draw", "at": 7}})
    assert diffeo.train_seeds(whole, (0, 1), tmp_path / "ours").is_finished
    assert "one seed after another: the step draws noise" in capsys.readouterr().err
    assert (tmp_path / "ours" / "seed-1" / "checkpoints" / "step-000000007").exists()
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))


def test_specs_that_differ_are_trained_one_by_one(spec, tmp_path):
    specs = {tmp_path / "seed-0": spec(), tmp_path / "seed-1": spec(seed=1, trainer={"clip": 1.0})}
    with pytest.raises(BatchRefusedError, match="their specs differ in more than the seed"):
        train_together(specs, World(), None, show_progress=False)


# Seeds that fail, and signals


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_seed_that_fails_is_left_behind_as_a_single_run_is(ema, spec, tmp_path):
    settings = {"steps": 20, "batch_size": 1, "ema": ema}
    whole = spec(data="beads", model=CLIFF, trainer=settings)
    result = at_once(whole, tmp_path / "ours", range(4))
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    with pytest.raises(diffeo.RunError) as failure:
        one_by_one(whole, tmp_path / "theirs", (2,))
    assert result.outcomes == {0: "finished", 1: "finished", 2: "failed", 3: "failed"}
    assert result.failures[2] == str(failure.value)
    incidents = [
        json.loads((tmp_path / name / "seed-2" / "incidents.jsonl").read_text()) for name in ("ours", "theirs")
    ]
    assert incidents[0]["incident"] == incidents[1]["incident"]
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))
    again = diffeo.resume_seeds(tmp_path / "ours", show_progress=False)
    assert again.failures == result.failures


def test_a_gradient_that_is_not_finite_is_told_by_name(spec, tmp_path):
    whole = spec(objective={"explode": {"where": "gradient"}})
    result = at_once(whole, tmp_path / "ours", (0, 1))
    with pytest.raises(diffeo.RunError) as failure:
        one_by_one(whole, tmp_path / "theirs", (0,))
    assert result.failures[0] == str(failure.value)
    assert "the gradient of model.steps.0.shift" in result.failures[0]


def test_weights_that_cannot_be_saved_fail_their_own_seeds(spec, tmp_path):
    whole = spec(trainer={"optimizer": {"sgd": {"lr": 1e308}}, "save_every": 1})
    result = at_once(whole, tmp_path / "ours", (0, 1))
    assert result.outcomes == {0: "failed", 1: "failed"}
    assert "are not finite at step 1; they were not saved" in result.failures[1]


@pytest.mark.parametrize("model", [MODEL, NOISY], ids=["together", "one by one"])
def test_a_signal_stops_all_seeds_and_all_go_on(model, spec, tmp_path):
    calm = spec(model=model, objective="mishap")
    whole = spec(model=model, objective={"mishap": {"does": "signal", "at": 7}})
    result = at_once(whole, tmp_path / "ours", (0, 1, 2))
    assert (result.signal, set(result.outcomes.values())) == (15, {"stopped"})
    for file in tmp_path.glob("ours/seed-*/spec.yaml"):
        file.write_text(file.read_text().replace("does: signal", "does: nothing"))
    assert diffeo.resume_seeds(tmp_path / "ours", show_progress=False).is_finished
    one_by_one(calm, tmp_path / "theirs", (0, 1, 2))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1, 2))


@pytest.mark.parametrize("model", [MODEL, NOISY], ids=["together", "one by one"])
def test_a_signal_after_the_last_step_says_how_to_go_on_with_all(model, spec, tmp_path):
    with pytest.raises(StoppedError) as stopped:
        at_once(spec(model=model, evaluators=["bell"]), tmp_path / "runs", (0, 1))
    assert stopped.value.run == tmp_path / "runs"
    assert len(list(tmp_path.glob("runs/seed-*/spec.yaml"))) == 2


# Results


def test_the_summary_is_mean_and_sample_deviation(spec, tmp_path):
    result = at_once(spec(evaluators=[{"likelihood": {"split": "val"}}]), tmp_path / "runs", (0, 1, 2))
    files = [tmp_path / "runs" / f"seed-{seed}" / "report" / "metrics.json" for seed in (0, 1, 2)]
    values = [json.loads(file.read_text())["likelihood/log_prob"] for file in files]
    wanted = Spread(statistics.fmean(values), statistics.stdev(values), 3)
    assert result.metrics["likelihood/log_prob"] == wanted
    saved = json.loads((tmp_path / "runs" / "summary.json").read_text())["metrics"]["likelihood/log_prob"]
    assert saved == {"mean": wanted.mean, "sd": wanted.sd, "count": 3}


@pytest.mark.parametrize("values", [[1.0, math.inf], [math.nan, 1.0, 2.0]])
def test_a_number_that_is_not_finite_has_no_spread(values):
    spread = Spread.of(values)
    assert math.isnan(spread.mean)
    assert math.isnan(spread.sd)
    assert spread.count == len(values)


def test_one_seed_has_a_mean_and_no_deviation():
    assert Spread.of([1.5]).mean == 1.5
    assert math.isnan(Spread.of([1.5]).sd)


def test_finished_seeds_are_left_alone(spec, tmp_path, capsys):
    result = at_once(spec(), tmp_path / "runs", (0, 1))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("seed-*/**/*")}
    again = diffeo.resume_seeds(tmp_path / "runs")
    assert again == result
    assert "finished already: seed 0, 1" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("seed-*/**/*")} == before


# What users write


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0,2,5-7", (0, 2, 5, 6, 7)), (" 4 , 2 ", (4, 2))]
)
def test_seeds_as_users_write_them(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "1--2", "-1", "0-2,2", "٣", "0-99999999999"])
def test_other_texts_are_told(text):
    words = r"expected (seeds such as 0-9 or 0,2,5-7|every seed once|at most 10000 seeds); got"
    with pytest.raises(diffeo.DiffeoError, match=words):
        parse_seeds(text)


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1, 0)])
def test_other_seeds_are_told_before_anything_is_written(seeds, spec, tmp_path):
    with pytest.raises(ValueError, match=r"expected (seeds, every one once|a value >= 0); got"):
        at_once(spec(), tmp_path / "runs", seeds)
    assert not (tmp_path / "runs").exists()


def test_the_command_trains_prints_and_goes_on(bench, tmp_path, capsys):
    evaluators = [{"likelihood": {"split": "val"}}]
    file = bench.write("spec", data="blob", model=MODEL, trainer=TRAINER, evaluators=evaluators)
    assert cli.run(["train", str(file), "--seeds", "0-2", "--out", str(tmp_path / "runs"), "--until", "4"]) == 0
    assert f"stopped; go on with: diffeo train --resume {tmp_path / 'runs'}" in capsys.readouterr().out
    assert cli.run(["train", "--resume", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mean ± standard deviation over 3 seeds\n")
    assert f"\nruns: {tmp_path / 'runs'}\n" in out


def test_the_command_names_the_seeds_that_failed(bench, tmp_path, capsys):
    settings = TRAINER | {"steps": 20, "batch_size": 1}
    file = bench.write("spec", data="beads", model=CLIFF, trainer=settings)
    assert cli.run(["train", str(file), "--seeds", "0,2", "--out", str(tmp_path / "runs")]) == 1
    err = capsys.readouterr().err
    assert "seed 2 failed: loss not finite at step 16" in err
    assert "seed 0 failed" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "2-0"], "diffeo train: expected seeds such as 0-9 or 0,2,5-7; got '2-0'"),
        (["--seeds", "0-2", "--set", "seed=1"], "diffeo train: expected --seeds without --set seed="),
    ],
)
def test_what_the_command_does_not_take_is_one_line(arguments, message, bench, capsys):
    assert cli.run(["train", str(bench.write("spec")), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)


# Compiled


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor imports torch's own deprecated code
@pytest.mark.parametrize("model", [MODEL, HANDED], ids=["exact", "with noise"])
def test_the_compiled_step_is_the_same_step_and_compiled_once(model, spec, tmp_path):
    from torch._dynamo.utils import counters

    before = counters["inductor"]["fxgraph_cache_miss"] + counters["inductor"]["fxgraph_cache_hit"]
    together(spec(model=model, trainer={"compile": True, "clip": 0.5}), tmp_path / "ours", (0, 1))
    after = counters["inductor"]["fxgraph_cache_miss"] + counters["inductor"]["fxgraph_cache_hit"]
    assert after - before <= 1
    one_by_one(spec(model=model, trainer={"clip": 0.5}), tmp_path / "theirs", (0, 1))
    for seed in (0, 1):
        got, want = (diffeo.load(tmp_path / name / f"seed-{seed}").state_dict() for name in ("ours", "theirs"))
        assert_close(got, want, atol=1e-12, rtol=1e-12)


def test_a_step_that_cannot_be_compiled_is_run_as_it_is(spec, tmp_path, monkeypatch):
    def compile_nothing(function, backend=None):
        def refuse(*_):
            raise RuntimeError("no compiler\nof any kind")

        return refuse

    monkeypatch.setattr("diffeo.seed_step.torch.compile", compile_nothing)
    monkeypatch.setattr("diffeo.seed_batch.WORTH_COMPILING", 1)
    with pytest.warns(UserWarning, match=r"could not be compiled and is run as it is: no compiler$"):
        together(spec(), tmp_path / "ours", (0, 1))
    one_by_one(spec(), tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))
