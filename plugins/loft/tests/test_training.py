"""Runs of variational inference through the trainer: what is watched, skipped, selected, and computed in other ways."""

import json
from typing import Any

import pytest
import torch

import diffeo
from diffeo_registry import installed, structure

COUPLINGS = [
    {
        "coupling": {
            "split": {"alternate": {"swap": swap}},
            "transform": {"affine": {"scale": "soft_clamp"}},
            "network": {"two_mlps": {"hidden": [8]}},
        }
    }
    for swap in (False, True)
]
FLOW = {"flow": {"start": "base", "steps": [*COUPLINGS, "loft", "scale_shift"], "base": "student_t"}}


def spec(*, gradient: str = "fast_path", **trainer: Any) -> diffeo.Spec:
    settings = {
        "steps": 12,
        "batch_size": 32,
        "precision": "float64",
        "log_every": 1,
        "eval_every": 4,
        "eval_examples": 50,
    }
    whole = {
        "diffeo": 1,
        "data": {"funnel": {"dim": 4}},
        "model": FLOW,
        "objective": {"reverse_kl": {"gradient": gradient}},
        "trainer": {**settings, **trainer},
    }
    return structure(whole, diffeo.Spec, registry=installed())


def train(folder: Any, **fields: Any) -> Any:
    return diffeo.train(spec(**fields), folder, show_progress=False)


def lines(folder: Any, key: str) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if key in row]


def test_a_target_is_validated_on_the_same_noise_in_every_pass(tmp_path):
    """With a learning rate so small that the weights hardly change, the validation loss hardly does; the loss of a step does."""
    train(tmp_path, optimizer={"sgd": {"lr": 1e-12}})
    validated = [row["val/loss"] for row in lines(tmp_path, "val/loss")]
    assert len(validated) == 4
    assert validated == pytest.approx([validated[0]] * 4, rel=1e-8)
    steps = [row["loss"] for row in lines(tmp_path, "loss")]
    assert max(steps) - min(steps) > 0.1


def test_what_is_watched_is_the_bound_and_the_draws_that_were_left_out(tmp_path):
    train(tmp_path)
    for row in lines(tmp_path, "loss"):
        assert row["elbo"] == pytest.approx(-row["loss"])
        assert row["dropped"] == 0


def test_path_and_fast_path_are_the_same_run(tmp_path):
    runs = [train(tmp_path / gradient, gradient=gradient) for gradient in ("path", "fast_path")]
    one, other = (run.model.state_dict() for run in runs)
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], rtol=1e-6, atol=1e-9), name


def test_computing_activations_again_changes_nothing_but_rounding(tmp_path):
    runs = [train(tmp_path / memory, memory=memory) for memory in ("store", "checkpoint")]
    one, other = (run.model.state_dict() for run in runs)
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], rtol=1e-6, atol=1e-9), name


def test_either_selection_gives_weights_of_an_earlier_step(tmp_path):
    for select in ("lowest_loss", "lowest_val_loss"):
        run = train(tmp_path / select, select=select, optimizer={"sgd": {"lr": 0.1}})
        best = json.loads(next(run.path.glob("checkpoints/*/state.json")).read_text())["best"]
        key, rows = (
            ("loss", lines(run.path, "loss")[6:])
            if select == "lowest_loss"
            else ("val/loss", lines(run.path, "val/loss"))
        )
        assert best["score"] == pytest.approx(min(row[key] for row in rows), rel=1e-12)


class Cliff(diffeo.Target):
    """A normal density that has no value at every fifth call."""

    def __init__(self) -> None:
        super().__init__((4,))
        self.calls = 0

    def log_prob(self, theta: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        log_prob = -0.5 * theta.square().sum(-1)
        return log_prob * float("nan") if self.calls % 5 == 0 else log_prob


def test_a_step_without_a_finite_draw_is_skipped_and_written_down(tmp_path):
    run = diffeo.train(spec(nonfinite="skip", eval_examples=0), tmp_path, data=Cliff(), show_progress=False)
    incidents = [json.loads(line)["incident"] for line in (tmp_path / "incidents.jsonl").read_text().splitlines()]
    assert run.outcome == "finished"
    assert incidents
    assert all("loss and grad_norm not finite at step" in incident for incident in incidents)
    assert json.loads(next(tmp_path.glob("checkpoints/*/state.json")).read_text())["skipped"] == len(incidents)


def test_seeds_are_trained_one_after_another(tmp_path):
    runs = diffeo.train_seeds(spec(steps=2), [0, 1], tmp_path / "seeds", show_progress=False)
    assert runs.is_finished
    alone = train(tmp_path / "alone", steps=2).model.state_dict()
    together = diffeo.load(tmp_path / "seeds" / "seed-0").state_dict()
    assert all(torch.equal(tensor, together[name]) for name, tensor in alone.items())


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # inductor imports torch's own deprecated code
def test_the_whole_gradient_compiles(tmp_path):
    run = train(tmp_path, gradient="total", steps=2, compile=True)
    assert run.outcome == "finished"
    assert all(bool(tensor.isfinite().all()) for tensor in run.model.state_dict().values())
