"""Variational inference by several processes: draws are shared out as examples are, and weights are selected alike."""

import json

import pytest
import torch

import diffeo

COUPLING = """coupling:
            split: {{alternate: {{swap: {swap}}}}}
            transform: {{affine: {{scale: soft_clamp}}}}
            network: {{two_mlps: {{hidden: [8]}}}}"""
SPEC = f"""\
diffeo: 1
data: {{funnel: {{dim: 4}}}}
model:
  flow:
    start: base
    steps:
        - {COUPLING.format(swap="false")}
        - {COUPLING.format(swap="true")}
        - loft
        - scale_shift
    base: student_t
objective: {{reverse_kl: {{gradient: GRADIENT}}}}
trainer:
  steps: 12
  batch_size: 32
  precision: float64
  strict: true
  shards: 4
  log_every: 1
  eval_examples: 64
  select: lowest_loss
"""
ESTIMATORS = ("total", "path", "fast_path")


@pytest.fixture
def specs(tmp_path):
    """A spec file for each estimator of the gradient."""
    files = {gradient: tmp_path / f"{gradient}.yaml" for gradient in ESTIMATORS}
    for gradient, file in files.items():
        file.write_text(SPEC.replace("GRADIENT", gradient))
    return files


def state(folder):
    (file,) = folder.glob("checkpoints/*/state.json")
    return json.loads(file.read_text())


def test_two_processes_and_one_end_in_the_same_bits(specs, tmp_path, torchrun):
    commands = [["train", file, "--out", tmp_path / f"{gradient}-2"] for gradient, file in specs.items()]
    for rank in torchrun.several(commands):
        assert [one["status"] for one in rank] == [0, 0, 0], rank
    for gradient, file in specs.items():
        diffeo.train(diffeo.load_spec(file), tmp_path / f"{gradient}-1", show_progress=False)
        one, two = (diffeo.load(tmp_path / f"{gradient}-{count}").state_dict() for count in (1, 2))
        assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
        assert state(tmp_path / f"{gradient}-1")["best"] == state(tmp_path / f"{gradient}-2")["best"]
