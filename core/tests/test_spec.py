"""Specs: positions of build errors in the user's file, paths, resolution, and what ``check`` says without data."""

from pathlib import Path

import pytest

import diffeo
from diffeo.spec_loading import resolved_text
from diffeo_registry import installed

SPEC = """\
diffeo: 1
data: blob
model:
  flow:
    steps:
      - stretch
      - repeat:
          times: 2
          steps:
            - sinh
            - fold
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        Path("spec.yaml").write_text(text)
        return "spec.yaml"

    return write


def test_a_shape_that_does_not_fit_points_into_the_file(write):
    spec = diffeo.load_spec(write(SPEC))
    with pytest.raises(diffeo.SpecError) as caught:
        diffeo.check(spec)
    assert str(caught.value) == (
        "spec.yaml:11:15: model.flow.steps[1].repeat.steps[1].fold: "
        "expected a shape (C, S) with even S; got (2,) (iteration 1 of 2)"
    )


def test_a_resolved_spec_reads_back_as_the_same_spec(write, tmp_path):
    spec = diffeo.load_spec(write(SPEC), ["trainer.steps=7", "trainer.optimizer.sgd.momentum=0.5"])
    text = resolved_text(spec)
    assert "# --set trainer.steps=7" in text
    assert "acme-parts/stretch@1" in text
    (tmp_path / "resolved.yaml").write_text(text)
    assert diffeo.load_spec("resolved.yaml") == spec


def test_paths_are_absolute_once_loaded(write, tmp_path):
    spec = diffeo.load_spec(write(SPEC + "start_from: runs/first\n"))
    assert spec.start_from == tmp_path / "runs" / "first"


def test_a_spec_from_python_is_the_same_as_from_yaml(write):
    from diffeo.config import Chain, Flow

    flow = diffeo.build(Flow(steps=[Chain(steps=["stretch", {"stretch": {"log_scale": 0.1}}])]), shape=(2,))
    again = diffeo.build("model", "flow: {steps: [chain: {steps: [stretch, stretch: {log_scale: 0.1}]}]}", shape=(2,))
    assert {k: v.shape for k, v in flow.state_dict().items()} == {k: v.shape for k, v in again.state_dict().items()}
    assert flow.steps[0].steps[1].log_scale[0].item() == pytest.approx(0.1)


def test_what_a_kind_is_built_with_is_told():
    with pytest.raises(diffeo.DiffeoError, match=r"stretch is built with shape, context_shape; got nothing"):
        diffeo.build("bijector", "stretch")
    with pytest.raises(diffeo.DiffeoError, match="expected shape as a tuple of positive integers"):
        diffeo.build("bijector", "stretch", shape=(0,))
    with pytest.raises(diffeo.DiffeoError, match=r"expected a kind, one of .*bijector.*; got 'bijektor'"):
        diffeo.build("bijektor", "stretch", shape=(2,))


def test_rows_name_parts_as_users_write_them(write):
    spec = diffeo.load_spec(write(SPEC.replace("- fold", "- stretch")))
    rows = diffeo.check(spec).rows
    assert [row.name for row in rows][:3] == ["flow", "steps[0]: stretch", "steps[1]: repeat"]
    assert rows[0].parameters == 12
    assert len(installed().of_kind("bijector")) >= 5
