"""From a recipe to a report and samples, through the command line, over the core, the bijectors and the data."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from diffeo import cli
from diffeo.png import description
from diffeo_registry import installed


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(*texts):
    return [word for text in texts for word in ("--set", text)]


@pytest.mark.filterwarnings("ignore:expected the (Fashion-MNIST )?files")  # shapes are known without them
@pytest.mark.parametrize("name", sorted(recipe.name for recipe in installed().recipes))
def test_every_recipe_passes_check(name, capsys):
    assert cli.run(["check", name]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" parameters")


def test_a_class_conditional_image_flow_leaves_a_report_with_a_row_per_class(here, capsys):
    small = settings("trainer.steps=2", "trainer.batch_size=16", "evaluators.0.likelihood.max_examples=40")
    assert cli.run(["train", "image-flow/demo", "--out", "run", *small]) == 0
    out = capsys.readouterr().out
    assert [line.partition(":")[0] for line in out.splitlines()[:3]] == [
        "bits per dimension",
        "where it began",
        "independent Gaussians",
    ]
    metrics = json.loads(Path("run/report/metrics.json").read_text())
    assert 1 < metrics["likelihood/gaussian_bits_per_dim"] < 8  # eight bits a pixel say everything
    (grid,) = Path("run/report").rglob("sample_grid.png")
    assert "one row per class" in description(grid)
    page = Path("run/report/index.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert cli.run(["sample", "run", "-n", "4", "--class", "1", "--class", "9", "-o", "boots.png"]) == 0
    scale = round(64 / 14)
    assert imread("boots.png").shape[:2] == (scale * (2 * 15 - 1), scale * (4 * 15 - 1))


def test_a_flow_on_the_plane_is_drawn_beside_the_truth(here, capsys):
    small = settings("trainer.steps=2", "trainer.batch_size=16")
    assert cli.run(["train", "plane/checkerboard", "--out", "run", *small]) == 0
    assert "log-likelihood in nats" in capsys.readouterr().out
    (picture,) = Path("run/report").rglob("density_2d.png")
    assert "true density" in description(picture)


def test_a_flow_on_a_table_of_ones_own(here, capsys):
    rng = np.random.default_rng(0)
    np.savetxt("mine.csv", rng.normal([1, -2, 5], [1, 2, 0.5], (300, 3)), delimiter=",")
    Path("spec.yaml").write_text(
        """\
diffeo: 1
data: {csv: {path: mine.csv}}
model: {flow: {steps: [actnorm, {coupling: {transform: affine}}, reverse]}}
trainer: {steps: 3, batch_size: 32}
evaluators: [likelihood]
"""
    )
    assert cli.run(["train", "spec.yaml", "--out", "run"]) == 0
    assert cli.run(["sample", "run", "-n", "50", "-o", "drawn.csv"]) == 0
    drawn = np.loadtxt("drawn.csv", delimiter=",", skiprows=1)
    assert drawn.shape == (50, 3)
    assert np.abs(drawn.mean(0) - [1, -2, 5]).max() < 1.5
    capsys.readouterr()
    assert cli.run(["sample", "run", "-o", "drawn.png"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "expected images (1 or 3, H, W) or points (2,) for a .png; got (3,): use .npz or .csv"
    ]
