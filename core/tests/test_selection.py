"""Which weights of a run are saved and used: the last, those of the lowest loss of one step, of the lowest validation loss."""

import json

import pytest
import torch

import diffeo
from diffeo.best_weights import BestWeights

UNSTEADY = {"steps": 16, "log_every": 1, "eval_every": 3, "optimizer": {"sgd": {"lr": 0.3}}}


def weights_by_step(bench):
    """The weights at every step, of a run that keeps them all."""
    bench.train("all", trainer={**UNSTEADY, "save_every": 1, "keep": 99})
    return {step: diffeo.load(bench.checkpoint("all", step)).state_dict() for step in bench.steps("all")}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def facts(bench, name):
    return json.loads((bench.checkpoint(name) / "state.json").read_text())["best"]


def test_the_lowest_loss_of_the_second_half_selects_the_weights_it_belongs_to(bench):
    run = bench.train("run", trainer={**UNSTEADY, "select": "lowest_loss"})
    losses = {row["step"] - 1: row["loss"] for row in bench.lines("run") if "loss" in row and row["step"] > 8}
    best = min(losses, key=lambda step: losses[step])
    assert best != 15, "a run whose last step is not its best"
    assert facts(bench, "run") == {"score": pytest.approx(losses[best], rel=1e-6), "step": best}
    assert same(diffeo.load(bench.path("run")).state_dict(), weights_by_step(bench)[best])
    assert same(run.model.state_dict(), diffeo.load(bench.path("run")).state_dict()), "evaluators see them, too"


def test_the_lowest_validation_loss_selects_the_weights_it_belongs_to(bench):
    bench.train("run", trainer={**UNSTEADY, "select": "lowest_val_loss"})
    losses = {row["step"]: row["val/loss"] for row in bench.lines("run") if "val/loss" in row}
    best = min(losses, key=lambda step: losses[step])
    assert facts(bench, "run") == {"score": losses[best], "step": best}
    assert 0 < best < 16, "neither the first pass nor the last is the best of this run"
    assert same(diffeo.load(bench.path("run")).state_dict(), weights_by_step(bench)[best])


@pytest.mark.parametrize("select", ["lowest_loss", "lowest_val_loss"])
@pytest.mark.parametrize("until", [4, 11])
def test_what_was_selected_is_kept_over_an_interruption(bench, select, until):
    settings = {"trainer": {**UNSTEADY, "select": select}}
    bench.train("whole", **settings)
    bench.train("cut", **settings, until=until)
    bench.resume("cut")
    assert bench.weights("whole") == bench.weights("cut")
    assert facts(bench, "whole") == facts(bench, "cut")


def test_selection_leaves_training_as_it_is(bench):
    bench.train("last", trainer=UNSTEADY)
    bench.train("best", trainer={**UNSTEADY, "select": "lowest_loss"})
    assert bench.weights("last")["training.safetensors"] == bench.weights("best")["training.safetensors"]


def test_a_score_that_is_not_finite_selects_nothing():
    model = torch.nn.Linear(1, 1)
    best = BestWeights(model)
    for score in (float("nan"), float("inf"), float("-inf")):
        best.offer(score, 3)
    assert best.state() == {}
    best.offer(2.0, 4)
    with torch.no_grad():
        model.weight.add_(1.0)
    best.offer(2.0, 5)
    assert best.facts == {"score": 2.0, "step": 4}
    assert not torch.equal(best.state()["weight"], model.weight)


def test_weights_are_chosen_in_one_way_only(bench):
    for other in ({"ema": 0.9}, {"keep_best": 1}):
        with pytest.raises(diffeo.SpecError, match=r"expected select: last with ema or keep_best.*got lowest_loss and"):
            bench.spec(trainer={"select": "lowest_loss", **other})


def test_a_validation_loss_needs_something_to_validate_on(bench):
    with pytest.raises(diffeo.BuildError, match=r"trainer.select: expected data with a validation split"):
        bench.train("run", trainer={"select": "lowest_val_loss", "eval_examples": 0})
