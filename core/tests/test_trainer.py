"""The trainer: learns, is a function of its seed, resumes as if it had never stopped, and leaves whole folders."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.config_spec import Spec
from diffeo_registry import installed, structure


def spec(**sections):
    trainer = {"steps": 12, "batch_size": 16, "log_every": 3, "eval_every": 6, **sections.pop("trainer", {})}
    model = {"flow": {"steps": ["stretch", {"stretch": {"log_scale": 0.0}}]}}
    whole = {"diffeo": 1, "data": "blob", "model": model, "trainer": trainer, **sections}
    return structure(whole, Spec, registry=installed())


def train(spec, out, **more):
    return diffeo.train(spec, out, show_progress=False, **more)


def weights(run_folder, step=12):
    folder = Path(run_folder) / "checkpoints" / f"step-{step:09d}"
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "training.safetensors")
    }


def test_it_learns_the_mean(tmp_path):
    settings = {
        "steps": 300,
        "batch_size": 64,
        "optimizer": {"adam": {"lr": 0.05}},
        "schedule": "cosine",
        "precision": "float64",
    }
    run = train(spec(trainer=settings, evaluators=["likelihood"]), tmp_path / "run")
    assert run.outcome == "finished"
    assert_close(
        run.model.decode(torch.zeros(2, dtype=torch.float64)),
        torch.tensor([2.0, -1.0], dtype=torch.float64),
        atol=0.15,
        rtol=0,
    )
    assert run.metrics["likelihood/log_prob"] > -3.1
    assert (tmp_path / "run" / "report" / "index.html").stat().st_size > 1000


def test_a_run_is_a_function_of_its_seed(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(spec(seed=seed), tmp_path / name)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


OPTIMIZERS = [
    "adam",
    {"adam": {"fused": False}},
    "adamw",
    "adamax",
    "sgd",
    {"sgd": {"momentum": 0.9, "nesterov": True}},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_resumed_run_continues_bit_for_bit(tmp_path, optimizer):
    settings = {"optimizer": optimizer, "schedule": {"cosine": {"warmup": 3}}, "ema": 0.9, "accumulate": 2, "clip": 1.0}
    model = {"flow": {"steps": ["stretch", "append"], "dequantization": "jitter"}}
    whole = spec(data={"dice": {"size": 50}}, model=model, trainer=settings)
    train(whole, tmp_path / "whole")
    cut = train(whole, tmp_path / "cut", until=5)
    assert cut.outcome == "stopped"
    run = diffeo.resume(tmp_path / "cut", show_progress=False)
    assert run.outcome == "finished"
    assert weights(tmp_path / "whole") == weights(tmp_path / "cut")
    assert weights(tmp_path / "cut", 5) != weights(tmp_path / "cut", 12)
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [0, 3, 6, 6, 9, 12, 12]


def test_accumulation_equals_one_large_batch(tmp_path):
    for name, accumulate in (("one", 1), ("four", 4)):
        train(spec(trainer={"accumulate": accumulate, "precision": "float64"}), tmp_path / name)
    one, four = (diffeo.load(tmp_path / name).state_dict() for name in ("one", "four"))
    for name in one:
        assert_close(one[name], four[name], atol=1e-12, rtol=0)


def test_ema_is_what_is_saved_and_used(tmp_path):
    run = train(spec(trainer={"ema": 0.5, "optimizer": {"sgd": {"lr": 0.05}}}), tmp_path / "ema")
    raw = train(spec(trainer={"optimizer": {"sgd": {"lr": 0.05}}}), tmp_path / "raw")
    saved = diffeo.load(tmp_path / "ema").state_dict()
    assert_close(saved["steps.0.shift"], run.model.state_dict()["steps.0.shift"])
    assert not torch.equal(saved["steps.0.shift"], raw.model.state_dict()["steps.0.shift"])


def test_checkpoints_are_kept_and_load(tmp_path):
    train(spec(trainer={"save_every": 2, "keep": 3}), tmp_path / "run")
    folders = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert folders == ["step-000000008", "step-000000010", "step-000000012"]
    x = torch.randn(3, 2)
    by_run = diffeo.load(tmp_path / "run").log_prob(x)
    by_file = diffeo.load(tmp_path / "run" / "checkpoints" / folders[-1] / "model.safetensors").log_prob(x)
    assert torch.equal(by_run, by_file)


def test_bfloat16_leaves_parameters_and_log_dets_in_float32(tmp_path):
    run = train(spec(trainer={"precision": "bfloat16"}), tmp_path / "run")
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}


def test_a_loss_that_is_not_finite_stops_the_run_and_is_written_down(tmp_path):
    with pytest.raises(diffeo.RunError, match=r"loss and grad_norm not finite at step 3 .* lower the learning rate"):
        train(spec(objective="explode"), tmp_path / "run")
    incident = json.loads((tmp_path / "run" / "incidents.jsonl").read_text())
    assert incident["step"] == 3
    assert "not finite" in incident["incident"]


def test_skipped_steps_leave_the_weights_alone(tmp_path):
    run = train(spec(objective={"explode": {"at": 0}}, trainer={"nonfinite": "skip"}), tmp_path / "run")
    assert_close(run.model.state_dict()["steps.0.shift"], torch.zeros(2))
    assert len((tmp_path / "run" / "incidents.jsonl").read_text().splitlines()) == 12


def test_conditional_data_reach_the_model(tmp_path):
    model = {"flow": {"steps": ["stretch"], "context_network": "lift"}}
    run = train(spec(data={"blob": {"conditional": True}}, model=model, evaluators=["likelihood"]), tmp_path / "run")
    assert run.model.context_shape == (2,)
    assert "likelihood/bits_per_dim" in run.metrics


def test_integers_without_dequantization_are_told_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="dequantization: uniform"):
        train(spec(data="dice"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_existing_run_folder_is_not_touched(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(diffeo.DiffeoError, match=r"got one with files in it: choose another --out$"):
        train(spec(), tmp_path / "run")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(diffeo.DiffeoError, match="expected a place where a run folder can be written"):
        train(spec(), tmp_path / "file" / "run")


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_start_from_begins_with_another_runs_weights(tmp_path, precision):
    first = train(spec(trainer={"precision": precision}), tmp_path / "first")
    settings = {"steps": 1, "precision": precision, "optimizer": {"sgd": {"lr": 1e-12}}}
    again = {"start_from": str(tmp_path / "first"), "trainer": settings}
    second = train(spec(**again), tmp_path / "second")
    assert_close(second.model.state_dict(), first.model.state_dict())


def test_training_leaves_the_callers_generator_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    train(spec(), tmp_path / "run")
    assert torch.equal(torch.randn(3), expected)
