from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from diffeo import tensorboard
from diffeo.evaluators.pictures import new_figure, save


@pytest.fixture
def run(tmp_path):
    return SimpleNamespace(path=tmp_path, step=0, model=nn.Sequential(nn.Linear(2, 3)), metrics={}, state={})


def events(run):
    found = EventAccumulator(str(run.path / "tensorboard"))
    found.Reload()
    return found


def test_scalars_histograms_and_pictures_of_a_run(run):
    tensorboard.diffeo_run_started(run)
    for step in (10, 20):
        tensorboard.diffeo_step_done(run, step, {"loss": 1 / step, "val/loss": 2.0})
    tensorboard.diffeo_checkpoint_saved(run, 20, run.path / "checkpoints")
    (run.path / "report" / "grid").mkdir(parents=True)
    save(new_figure(1, 1), run.path / "report" / "grid" / "samples.png", "x")
    run.step, run.metrics = 20, {"likelihood/log_prob": -3.0}
    tensorboard.diffeo_run_ended(run, "finished")
    found = events(run)
    assert [(event.step, event.value) for event in found.Scalars("train/loss")] == [
        (10, pytest.approx(0.1)),
        (20, pytest.approx(0.05)),
    ]
    assert found.Scalars("val/loss")[0].value == 2.0
    assert found.Scalars("report/likelihood/log_prob")[0].value == -3.0
    assert found.Images("grid/samples")[0].width == 144
    histogram = found.Histograms("0/weight")[0].histogram_value
    assert (histogram.num, histogram.sum) == (6, pytest.approx(float(run.model[0].weight.detach().sum()), abs=1e-5))
    assert run.state == {}


def test_a_resumed_run_hides_what_was_written_after_its_checkpoint(run):
    tensorboard.diffeo_run_started(run)
    for step in (10, 20, 30):
        tensorboard.diffeo_step_done(run, step, {"loss": float(step)})
    tensorboard.diffeo_run_ended(run, "failed")
    run.step = 10
    tensorboard.diffeo_run_started(run)
    tensorboard.diffeo_step_done(run, 20, {"loss": -20.0})
    tensorboard.diffeo_run_ended(run, "stopped")
    assert [event.value for event in events(run).Scalars("train/loss")] == [10.0, -20.0]


def test_parameters_that_cannot_be_binned_are_left_out(run):
    odd = [torch.tensor([1.0, torch.inf]), torch.zeros(0), torch.tensor([1e30, -1e30]), torch.tensor([torch.nan])]
    run.model = nn.ParameterList([*odd, torch.ones(2)])
    tensorboard.diffeo_run_started(run)
    tensorboard.diffeo_checkpoint_saved(run, 1, run.path)
    tensorboard.diffeo_run_ended(run, "failed")
    assert events(run).Tags()["histograms"] == ["4"]


def test_a_run_that_failed_before_it_started_ends_quietly(run):
    tensorboard.diffeo_run_ended(run, "failed")
    assert not (run.path / "tensorboard").exists()


def test_two_runs_in_one_process_keep_apart(run, tmp_path):
    other = SimpleNamespace(path=tmp_path / "other", step=0, model=run.model, metrics={}, state={})
    for one in (run, other):
        tensorboard.diffeo_run_started(one)
    tensorboard.diffeo_step_done(other, 1, {"loss": 5.0})
    for one in (run, other):
        tensorboard.diffeo_run_ended(one, "stopped")
    assert events(run).Tags()["scalars"] == []
    assert events(other).Scalars("train/loss")[0].value == 5.0
