"""Recipes: those of the script, one for every target and method, and each of them builds."""

import runpy
from pathlib import Path

import pytest

import diffeo
from diffeo_registry import installed

FOLDER = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(FOLDER / "scripts" / "make_recipes.py"))
NAMES = [item.recipe.name for item in installed().recipes if item.recipe.name.startswith("loft/")]


def test_files_are_those_of_the_script():
    wanted = SCRIPT["recipes"]()
    found = {path.stem: path.read_text() for path in (FOLDER / "diffeo_loft" / "recipes" / "loft").glob("*.yaml")}
    assert found == wanted, "python plugins/loft/scripts/make_recipes.py writes them anew"
    assert {f"loft/{name}" for name in wanted} == set(NAMES), "records_recipes.py names each of them"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(("-100", "-1000", "-1000-short"))])
def test_it_builds(name):
    plan = diffeo.check(diffeo.load_spec(name))
    assert plan.warnings == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-10")])
def test_the_protocol_is_that_of_the_paper(name):
    spec = diffeo.load_spec(name)
    (repeat, *ending) = spec.model.steps
    assert repeat.times * len(repeat.steps) == 64
    assert [type(step).__name__ for step in ending] == ["Loft", "ScaleShift"]
    trainer = spec.trainer
    assert (trainer.steps, trainer.batch_size, trainer.precision) == (60_000, 256, "float64")
    assert trainer.optimizer.lr == 1e-4
    assert trainer.clip is None
    assert trainer.select == "lowest_loss"
    assert (spec.objective.anneal, spec.objective.filter, trainer.nonfinite) == (False, True, "skip")
