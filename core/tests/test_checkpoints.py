"""Checkpoints: whole or absent, and never loaded wrong."""

import json
import random

import pytest
import torch
from safetensors.torch import save

import diffeo
from diffeo import checkpoints
from diffeo.model_files import model_parts, read_model
from diffeo_registry import Slot, installed, structure

FLOW = {"flow": {"steps": ["stretch", "append"]}}


@pytest.fixture
def saved(tmp_path):
    config = structure(FLOW, Slot("model"), registry=installed())
    model = diffeo.build(config, shape=(2,)).double()
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"".join(model_parts(model, config, model.state_dict())))
    return path


def test_a_file_alone_rebuilds_the_model(saved):
    model = diffeo.load(saved)
    assert model.event_shape == (2,)
    assert not model.training
    assert {t.dtype for t in model.parameters()} == {torch.float64}
    assert model.sample((3,)).shape == (3, 2)


def test_the_same_model_gives_the_same_bytes(saved):
    config = structure(FLOW, Slot("model"), registry=installed())
    model = diffeo.load(saved)
    assert b"".join(model_parts(model, config, model.state_dict())) == saved.read_bytes()


def test_a_truncated_file_is_told(saved):
    data = saved.read_bytes()
    for length in (0, 5, 40, len(data) - 1):
        saved.write_bytes(data[:length])
        with pytest.raises(
            diffeo.CheckpointError, match=r"model.safetensors: expected a (whole )?safetensors file; got"
        ):
            diffeo.load(saved)


def test_random_bytes_and_foreign_files_are_told(saved):
    saved.write_bytes(random.Random(0).randbytes(4000))
    with pytest.raises(diffeo.CheckpointError, match="expected a"):
        diffeo.load(saved)
    saved.write_bytes(save({"weight": torch.zeros(2)}))
    with pytest.raises(diffeo.CheckpointError, match="expected a model saved by diffeo"):
        diffeo.load(saved)


def header(saved, **changes):
    model = diffeo.load(saved)
    data = saved.read_bytes()
    metadata = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["diffeo"])
    saved.write_bytes(save(dict(model.state_dict()), {"diffeo": json.dumps(metadata | changes)}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "expected format 1; got 99"),
        ({"model": {"flow": {"steps": ["nonsense"]}}}, "no bijector or augmenter named 'nonsense'"),
        ({"model": {"flow": {"steps": ["stretch"], "spets": 1}}}, "unknown key"),
        (
            {"model": {"flow": {"steps": ["stretch", "stretch", "append"]}}},
            "expected 'steps.1.log_scale' with .*; got none",
        ),
        ({"shape": [3]}, r"expected 'steps.0.log_scale' with shape \(3,\)"),
        ({"shape": "wide"}, "expected shape as a list of integers > 0; got 'wide'"),
        ({"dtype": "float16"}, "expected dtype float32 or float64"),
    ],
)
def test_a_file_of_another_model_is_told(saved, changes, message):
    header(saved, **changes)
    with pytest.raises(diffeo.CheckpointError, match=message):
        read_model(saved)


def test_a_failed_write_leaves_nothing(tmp_path):
    checkpoints.write(tmp_path, 1, {"a": b"1"})
    with pytest.raises(TypeError):
        checkpoints.write(tmp_path, 2, {"a": b"1", "b": None})
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]


def test_nothing_to_load_is_told(tmp_path):
    with pytest.raises(diffeo.CheckpointError, match=r"expected a run folder, a checkpoint or a model.safetensors"):
        diffeo.load(tmp_path / "nowhere")
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(diffeo.CheckpointError, match="expected a checkpoint; got none"):
        diffeo.load(tmp_path)
