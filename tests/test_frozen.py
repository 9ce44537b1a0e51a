"""What was made with an earlier release goes on working: tests/frozen/api1 holds a plugin written against plugin API 1, specs
that use it, models and a run. Nothing in that folder changes; `tests/frozen/make.py` says how the checkpoints were made.

A number that comes out differently is a broken promise where torch and the processor are those it was computed with. With
others, the last bits may differ.
"""

import importlib.util
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import diffeo
from diffeo import cli
from diffeo_registry import (
    DeprecatedNameWarning,
    PluginError,
    describe,
    installed,
    json_schema,
    load_reference,
    registry,
)

FOLDER = Path(__file__).parent / "frozen/api1"
SPECS = sorted(path.stem for path in FOLDER.glob("specs/*.yaml"))


@pytest.fixture(scope="module", autouse=True)
def plugin() -> Iterator[None]:
    """The plugin is installed while these tests run, and not longer."""
    sys.path.insert(0, str(FOLDER))
    registry._installed.cache_clear()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    sys.path.remove(str(FOLDER))
    registry._installed.cache_clear()


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """The script that made the checkpoints."""
    spec = importlib.util.spec_from_file_location("frozen_make", FOLDER.parent / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def own() -> list[Any]:
    """The components of the plugin."""
    return [one for one in installed().components if one.package == "acme-frozen"]


def spec_of(name: str, *overrides: str) -> Any:
    """A spec; what is there under a former name is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeprecatedNameWarning)
        spec = diffeo.load_spec(FOLDER / f"specs/{name}.yaml", overrides)
    assert len(caught) == (3 if name == "renamed" else 0)
    return spec


def compare(got: dict[str, torch.Tensor], file: Path) -> None:
    """The tensors of a file: bit for bit where they were computed by the same torch on the same kind of processor."""
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    same = metadata == {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}
    expected = load_file(file)
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        assert got[name].dtype == tensor.dtype, name
        if same:
            assert torch.equal(got[name], tensor), f"{name} differs by {(got[name] - tensor).abs().max():.3g}"
        else:
            torch.testing.assert_close(got[name], tensor, rtol=1e-9, atol=1e-9)


def test_the_plugin_brings_what_it_did(own):
    assert not installed().broken
    assert [one.qualified for one in own] == [
        "acme-frozen/fixed@1",
        "acme-frozen/lattice@1",
        "acme-frozen/soft@1",
        "acme-frozen/tempered@1",
        "acme-frozen/warp@1",
        "acme-frozen/widen@1",
    ]
    assert installed().kinds["gate"].built_with == ("shape",)
    for one in own:
        protocol = load_reference(installed().kinds[one.kinds[0]].protocol)
        assert issubclass(one.load_implementation(), protocol)
        assert describe(one, installed()).implementation is not None
    assert "acme_frozen.config" in {one.load_config().__module__ for one in own}
    slots = json_schema(diffeo.Spec, registry=installed())["$defs"]
    assert slots["slot.gate"]["anyOf"][0]["enum"] == ["fixed", "soft"]


def test_its_command_and_its_recipe(capsys, tmp_path, monkeypatch):
    assert cli.run(["frozen", "--times", "2"]) == 0
    assert capsys.readouterr().out == "frozen frozen \n"
    monkeypatch.chdir(tmp_path)
    assert cli.run(["train", "frozen/lattice", "--out", "run"]) == 0
    assert (tmp_path / "run/frozen.log").read_text().splitlines() == ["started at 0 of 4", "saved 4", "ended finished"]
    assert not (tmp_path / "run/incidents.jsonl").exists()


@pytest.mark.parametrize("name", SPECS)
def test_its_specs_train_a_step(name, tmp_path):
    spec = spec_of(name)
    run = diffeo.train(spec, tmp_path / "run", until=1, show_progress=False)
    assert run.step == 1
    resolved = diffeo.load_spec(tmp_path / "run/spec.yaml")
    assert resolved == spec


@pytest.mark.parametrize("name", SPECS)
def test_its_models_compute_what_they_did(name, make):
    file = FOLDER / f"checkpoints/{name}.safetensors"
    model = diffeo.load(file)
    for key, tensor in load_file(file).items():
        assert torch.equal(model.state_dict()[key], tensor)
    compare(make.outputs(model), file.with_suffix(".outputs.safetensors"))


@pytest.mark.filterwarnings("default:the run goes on with other:UserWarning")
def test_its_run_goes_on(tmp_path):
    shutil.copytree(FOLDER / "checkpoints/run", tmp_path / "run")
    run = diffeo.resume(tmp_path / "run", show_progress=False)
    assert (run.step, run.outcome) == (8, "finished")
    compare(run.model.state_dict(), FOLDER / "checkpoints/run.outputs.safetensors")
    log = (tmp_path / "run/frozen.log").read_text().splitlines()
    assert log[-4:] == ["started at 5 of 8", "saved 6", "saved 8", "ended finished"]


def test_another_plugin_may_take_one_of_its_names(own, monkeypatch):
    """Its specs then say which one they mean; those that do already go on working."""
    taken = {one.package: [one.component] for one in own if one.name == "warp"}
    both = registry.Registry.from_records({**taken, "bravo": taken["acme-frozen"]})
    with pytest.raises(PluginError, match="write acme-frozen/warp or bravo/warp"):
        both.find("warp", "bijector")
    assert both.find("acme-frozen/warp@1", "bijector").package == "acme-frozen"
    assert both.find("acme-frozen/bend", "bijector").name == "warp"


def test_the_files_are_small_and_all_there():
    files = [path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert max(path.stat().st_size for path in files) < 100_000
    assert {path.name for path in files if path.suffix == ".safetensors" and "outputs" in path.name} == {
        *(f"{name}.outputs.safetensors" for name in SPECS),
        "run.outputs.safetensors",
    }
