"""Draws of a run on a target: the parameters by name, without their constraints, in a file that ArviZ reads."""

import csv
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray

import diffeo
from diffeo import cli
from diffeo.commands import sample as command

SPEC = """\
diffeo: 1
data: {DATA}
model: {flow: {base: diagonal_normal}}
objective: elbo
trainer: {steps: 3, batch_size: 8, optimizer: sgd}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.txt").touch()
    for name, data in (("ring", "ring"), ("file", "{ring: {path: there.txt}}")):
        (tmp_path / f"{name}.yaml").write_text(SPEC.replace("{DATA}", data))
    return tmp_path


@pytest.fixture
def ring(here):
    assert cli.run(["train", "ring.yaml", "--out", "ring"]) == 0
    return "ring"


def sample(capsys, *arguments):
    capsys.readouterr()
    assert cli.run(["sample", *arguments]) == 0
    return capsys.readouterr()


def expected(number):
    """What a seed of 0 draws, in the user's parameters."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        theta = diffeo.load("ring").sample((number,))
    target = diffeo.build("target", "ring")
    return {name: values.numpy() for name, values in target.by_name(theta).items()}


def test_netcdf_holds_the_parameters_by_name(ring, capsys):
    said = sample(capsys, ring, "-n", "30", "-o", "posterior.nc").out
    assert said == "wrote posterior.nc: 30 draws of point (2,), radius ()\n"
    with xarray.open_dataset("posterior.nc", group="posterior") as posterior:
        assert dict(posterior.sizes) == {"chain": 1, "draw": 30, "point_entry": 2}
        assert posterior["point_entry"].values.tolist() == ["across", "up"]
        assert posterior.attrs["inference_library"] == "diffeo"
        for name, values in expected(30).items():
            np.testing.assert_array_equal(posterior[name][0], values)
        np.testing.assert_allclose((posterior["point"] ** 2).sum("point_entry") ** 0.5, posterior["radius"], rtol=1e-5)


def test_arviz_reads_what_is_written(ring, capsys):
    sample(capsys, ring, "-n", "30", "-o", "posterior.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of its next version
        import arviz
    summary = arviz.summary(arviz.from_netcdf("posterior.nc"), kind="stats")
    assert list(summary.index) == ["point[across]", "point[up]", "radius"]
    assert summary.loc["radius", "mean"] == pytest.approx(expected(30)["radius"].mean(), abs=1e-2)


def test_arrays_and_text_hold_them_too(ring, capsys):
    for name in ("a.npz", "a.csv"):
        sample(capsys, ring, "-n", "5", "-o", name)
    with np.load("a.npz") as file:
        assert sorted(file) == ["point", "radius"]
        for name, values in expected(5).items():
            np.testing.assert_array_equal(file[name], values)
    with open("a.csv") as file:
        header, *rows = csv.reader(file)
    assert header == ["point[across]", "point[up]", "radius"]
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32)[:, 2], expected(5)["radius"])


@pytest.mark.filterwarnings("default:.*needs ArviZ")
def test_without_arviz_the_same_goes_to_an_npz(ring, capsys, monkeypatch):
    monkeypatch.setattr(command, "can_write_netcdf", lambda: False)
    said = sample(capsys, ring, "-n", "5", "-o", "posterior.nc")
    assert said.err == "warning: posterior.nc needs ArviZ: pip install arviz h5netcdf; writing posterior.npz\n"
    assert said.out == "wrote posterior.npz: 5 draws of point (2,), radius ()\n"
    with np.load("posterior.npz") as file:
        assert sorted(file) == ["point", "radius"]


def test_a_weights_file_on_its_own_gives_theta(ring, capsys):
    (weights,) = (path for path in map(str, _weights("ring")))
    shutil.copy(weights, "alone.safetensors")
    assert sample(capsys, "alone.safetensors", "-o", "a.nc").out == "wrote a.nc: 64 draws of shape (2,)\n"
    with xarray.open_dataset("a.nc", group="posterior") as posterior:
        assert list(posterior) == ["x"]
    sample(capsys, weights, "-o", "b.npz")  # inside its run it still knows the target
    with np.load("b.npz") as file:
        assert sorted(file) == ["point", "radius"]


def _weights(run):
    return Path(run).glob("checkpoints/*/model.safetensors")


@pytest.mark.filterwarnings("default:draws are unconstrained theta")
def test_a_target_that_is_not_to_be_had_is_told(here, capsys):
    assert cli.run(["train", "file.yaml", "--out", "file"]) == 0
    (here / "there.txt").unlink()
    said = sample(capsys, "file", "-n", "5", "-o", "a.npz")
    assert re.fullmatch(
        r"warning: draws are unconstrained theta, because there is no target: .*there.txt: expected a file; .*\n",
        said.err,
    )
    with np.load("a.npz") as file:
        assert sorted(file) == ["x"]


def test_netcdf_of_a_conditional_flow_is_refused(here, capsys):
    text = SPEC.replace("{DATA}", "{blob: {conditional: true}}").replace("objective: elbo\n", "")
    (here / "blob.yaml").write_text(text.replace("{flow: {base: diagonal_normal}}", "{flow: {steps: [stretch]}}"))
    assert cli.run(["train", "blob.yaml", "--out", "blob"]) == 0
    capsys.readouterr()
    assert cli.run(["sample", "blob", "--class", "0", "-o", "a.nc"]) == 2
    assert "expected -o with .npz or .csv for a flow with a context; got .nc" in capsys.readouterr().err
