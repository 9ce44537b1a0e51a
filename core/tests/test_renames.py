"""What was written before a rename goes on working: runs, saved models, specs on the command line."""

import json
import re
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

import diffeo
from diffeo import cli
from diffeo.tensor_files import read_header
from diffeo_registry import DeprecatedNameWarning

MODEL = {"flow": {"steps": [{"stretch": {"log_scale": 0.5}}]}}

OLD = """\
diffeo: 1
data: dice
model:
  flow:
    dequantization: jitter
    steps:
      - elongate: {scale: 0.5}
trainer: {steps: 2}
"""


def of_old(text):
    """A text as it was before the renames."""
    return text.replace("stretch", "elongate").replace("log_scale", "scale")


@pytest.fixture
def heard():
    """The warnings of the test; anything but the class that is expected here fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("default", DeprecatedNameWarning)
        yield caught


def test_a_saved_model(bench, heard):
    bench.train("new", model=MODEL, trainer={"steps": 1})
    path = bench.checkpoint("new") / "model.safetensors"
    metadata = {key: of_old(value) for key, value in read_header(path).metadata.items()}
    assert "elongate@1" in metadata["diffeo"]
    old = bench.path("old.safetensors")
    save_file(load_file(path), old, metadata)

    x = torch.randn(5, 2)
    assert not heard
    assert torch.equal(diffeo.load(old).log_prob(x), diffeo.load(path).log_prob(x))
    assert [str(one.message) for one in heard] == [
        "diffeo/flow@1.steps[0]: 'acme-parts/elongate@1' was renamed; write 'acme-parts/stretch@1'",
        "diffeo/flow@1.steps[0].acme-parts/elongate@1.scale: renamed; write 'log_scale'",
    ]


def test_a_run_goes_on(bench, heard):
    whole = bench.train("whole", model=MODEL)
    bench.train("old", model=MODEL, until=12)
    spec = bench.path("old") / "spec.yaml"
    spec.write_text(of_old(spec.read_text()))
    assert not heard
    resumed = bench.resume("old")
    assert len(heard) == 2
    assert re.search(
        r"spec\.yaml:\d+:\d+: model\.diffeo/flow@1\.steps\[0\]: 'acme-parts/elongate@1' was renamed; write 'acme-parts/str",
        str(heard[0].message),
    )
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


@pytest.mark.filterwarnings("default::diffeo_registry.DeprecatedNameWarning")
def test_the_command_line_prints_a_line_for_each(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(OLD)
    assert cli.run(["check", "spec.yaml", "--set", "model.flow.steps[0].stretch.scale=0.25"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning: spec.yaml:7:9: model.flow.steps[0]: 'elongate' was renamed; write 'stretch'",
        "warning: --set model.flow.steps[0].stretch.scale=0.25: model.flow.steps[0].elongate.scale: renamed; "
        "write 'log_scale'",
    ]


def test_built_from_python(heard):
    layer = diffeo.build("bijector", {"elongate": {"scale": 0.5}}, shape=(2,))
    assert torch.equal(layer.log_scale, torch.full((2,), 0.5))
    assert [str(one.message) for one in heard] == [
        "'elongate' was renamed; write 'stretch'",
        "elongate.scale: renamed; write 'log_scale'",
    ]
    heard.clear()
    diffeo.build("bijector", "chain: {steps: [elongate]}", shape=(2,))
    assert [str(one.message) for one in heard] == [
        "<text>:1:17: chain.steps[0]: 'elongate' was renamed; write 'stretch'"
    ]


@pytest.mark.parametrize("name", ["stretch", "elongate", "acme-parts/elongate@1"])
def test_show_tells_the_new_name_and_mentions_the_old_one(name, capsys):
    assert cli.run(["show", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("stretch (bijector)")
    assert any(re.match(r"log_scale .* Initial log-scale\. \(formerly scale\)$", line) for line in lines)
    assert any(re.match(r"former names: +elongate$", line) for line in lines)


def test_list_shows_the_new_name_only(capsys):
    assert cli.run(["list", "bijectors", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert "stretch" in names
    assert "elongate" not in names
