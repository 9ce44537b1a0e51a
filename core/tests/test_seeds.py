"""Many seeds at once: the same runs as one by one, whatever the optimizer, and a summary over them."""

import json
import math
import statistics

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo import cli
from diffeo.model_files import load_weights
from diffeo.seed_batch import BatchRefusedError, SeedBatch
from diffeo.seed_names import parse_seeds
from diffeo.seed_runs import Spread
from diffeo.seed_together import train_batch
from diffeo.spec_loading import reseeded
from diffeo.tensor_files import read_tensors

TRAINER = {"steps": 12, "batch_size": 8, "log_every": 3, "eval_every": 6, "precision": "float64"}
MODEL = {"flow": {"steps": ["stretch", "sinh", {"stretch": {"log_scale": 0.0}}]}}
OPTIMIZERS = [
    "adam",
    {"adam": {"fused": False}},
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


def one_by_one(spec, path, seeds):
    for seed in seeds:
        diffeo.train(reseeded(spec, seed), path / f"seed-{seed}", show_progress=False)


def together(spec, path, seeds, **more):
    return train_batch(
        {seed: reseeded(spec, seed) for seed in seeds}, path, more.pop("until", None), show_progress=False
    )


def assert_same_runs(ours, theirs, seeds, *, atol=1e-12):
    for seed in seeds:
        for name in ("model", "training"):
            (file,) = (theirs / f"seed-{seed}" / "checkpoints").glob(f"step-*12/{name}.safetensors")
            got, want = (read_tensors(root / file.relative_to(theirs))[1] for root in (ours, theirs))
            assert_close(got, want, atol=atol, rtol=10 * atol)
        got, want = (lines(root / f"seed-{seed}") for root in (ours, theirs))
        assert [row["step"] for row in got] == [row["step"] for row in want]
        for mine, other in zip(got, want, strict=True):
            assert mine.keys() | TIMED == other.keys() | TIMED
            assert_close(
                {k: v for k, v in mine.items() if k not in TIMED},
                {k: v for k, v in other.items() if k not in TIMED},
                atol=1e-9,
                rtol=1e-12,
            )


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_batch_of_models_equals_separate_runs(optimizer, spec, tmp_path):
    settings = {"optimizer": optimizer, "clip": 0.5, "ema": 0.9, "schedule": {"cosine": {"warmup": 3}}, "save_every": 5}
    whole = spec(trainer=settings, evaluators=["likelihood"])
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
        for seed in (0, 1):
            diffeo.train(reseeded(whole, seed), tmp_path / "ours" / f"seed-{seed}", until=5, show_progress=False)
        diffeo.resume_seeds(tmp_path / "ours", show_progress=False)
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))


def test_contexts_and_several_examples_at_once(spec, tmp_path):
    model = {"flow": {"steps": ["stretch", "sinh"], "context_network": "lift"}}
    whole = spec(data={"blob": {"conditional": True}}, model=model, trainer={"batch_size": 700})
    together(whole, tmp_path / "ours", (0, 1))
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 1))


REFUSED = {
    "noise": ({"model": {"flow": {"steps": ["stretch", "append"]}}}, "draws noise"),
    "accumulate": ({"trainer": {"accumulate": 2}}, "trainer.accumulate"),
    "strict": ({"trainer": {"strict": True}}, "trainer.strict"),
    "bfloat16": ({"trainer": {"precision": "bfloat16"}}, "trainer.precision: bfloat16"),
    "memory": ({"trainer": {"memory": "checkpoint"}}, "trainer.memory: checkpoint"),
    "skip": ({"trainer": {"nonfinite": "skip"}}, "trainer.nonfinite: skip"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_batched_is_trained_one_by_one(reason, spec, tmp_path, capsys):
    sections, words = REFUSED[reason]
    whole = spec(**sections)
    with pytest.raises(BatchRefusedError, match=words):
        together(whole, tmp_path / "batch", (0, 1))
    assert not (tmp_path / "batch").exists()
    result = diffeo.train_seeds(whole, (0, 1), tmp_path / "runs")
    assert result.is_finished
    assert "one seed after another: " in capsys.readouterr().out
    one_by_one(whole, tmp_path / "theirs", (0, 1))
    assert_same_runs(tmp_path / "runs", tmp_path / "theirs", (0, 1), atol=0)


def test_a_seed_that_fails_is_left_behind(spec, tmp_path):
    whole = spec()
    loops = {}

    def poison(batch):
        """A weight of the second seed turns to infinity before the seventh step."""
        take = batch.take_step

        def take_step():
            if batch.step == 6 and len(batch.loops) == 3:
                loops["failed"] = batch.loops[1]
                batch.theta.data[1, 0] = 1e9
            return take()

        batch.take_step = take_step

    original = SeedBatch.require_no_noise
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SeedBatch, "require_no_noise", lambda self: (original(self), poison(self)))
        result = diffeo.train_seeds(whole, (0, 1, 2), tmp_path / "ours", show_progress=False)
    assert result.outcomes == {0: "finished", 1: "failed", 2: "finished"}
    assert "not finite at step 6" in result.failures[1]
    incident = json.loads((tmp_path / "ours" / "seed-1" / "incidents.jsonl").read_text())
    assert incident["step"] == 6
    one_by_one(whole, tmp_path / "theirs", (0, 2))
    assert_same_runs(tmp_path / "ours", tmp_path / "theirs", (0, 2))


def test_the_summary_is_mean_and_sample_deviation(spec, tmp_path):
    result = diffeo.train_seeds(spec(evaluators=["likelihood"]), (0, 1, 2), tmp_path / "runs", show_progress=False)
    values = [
        json.loads((tmp_path / "runs" / f"seed-{seed}" / "report" / "metrics.json").read_text())["likelihood/log_prob"]
        for seed in (0, 1, 2)
    ]
    wanted = Spread(statistics.fmean(values), statistics.stdev(values), 3)
    assert result.metrics["likelihood/log_prob"] == wanted
    saved = json.loads((tmp_path / "runs" / "summary.json").read_text())["metrics"]["likelihood/log_prob"]
    assert saved == {"mean": wanted.mean, "sd": wanted.sd, "count": 3}
    assert math.isnan(Spread.of([1.0]).sd)


def test_finished_seeds_are_left_alone(spec, tmp_path):
    result = diffeo.train_seeds(spec(evaluators=["likelihood"]), (0, 1), tmp_path / "runs", show_progress=False)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("seed-*/**/*")}
    again = diffeo.resume_seeds(tmp_path / "runs", show_progress=False)
    assert again.metrics == result.metrics
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("seed-*/**/*")} == before


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0,2,5-7", (0, 2, 5, 6, 7)), (" 4 , 2 ", (4, 2))]
)
def test_seeds_as_users_write_them(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "1--2", "-1", "0-2,2"])
def test_other_texts_are_told(text):
    with pytest.raises(diffeo.DiffeoError, match=r"expected (seeds such as 0-9 or 0,2,5-7|every seed once); got"):
        parse_seeds(text)


def test_the_command_trains_prints_and_goes_on(bench, tmp_path, capsys):
    file = bench.write("spec", data="blob", model=MODEL, trainer=TRAINER, evaluators=["likelihood"])
    assert cli.run(["train", str(file), "--seeds", "0-2", "--out", str(tmp_path / "runs"), "--until", "4"]) == 0
    assert f"stopped; go on with: diffeo train --resume {tmp_path / 'runs'}" in capsys.readouterr().out
    assert cli.run(["train", "--resume", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mean ± standard deviation over 3 seeds\n")
    assert f"\nruns: {tmp_path / 'runs'}\n" in out
    assert cli.run(["train", str(file), "--seeds", "2-0"]) == 2
    assert capsys.readouterr().err == "expected seeds such as 0-9 or 0,2,5-7; got '2-0'\n"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor imports torch's own deprecated code
def test_the_compiled_step_is_the_same_step(spec, tmp_path):
    whole = spec(trainer={"compile": True, "clip": 0.5})
    together(whole, tmp_path / "ours", (0, 1))
    one_by_one(spec(trainer={"clip": 0.5}), tmp_path / "theirs", (0, 1))
    for seed in (0, 1):
        got, want = (diffeo.load(tmp_path / name / f"seed-{seed}") for name in ("ours", "theirs"))
        assert_close(got.state_dict(), want.state_dict(), atol=1e-10, rtol=0)
        load_weights(got, dict(want.state_dict()), "the other")
        assert torch.equal(got.log_prob(torch.ones(2, 2).double()), want.log_prob(torch.ones(2, 2).double()))
