"""Training: many seeds as one batch of models, and the compiled step."""

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.seed_together import train_together
from diffeo.spec_loading import reseeded
from diffeo.world import World

pytest.importorskip("diffeo_bijectors", reason="needs diffeo-bijectors, of whose parts these flows are made")

SMALL = [
    "trainer.steps=30",
    "trainer.precision=float64",
    "trainer.log_every=10",
    "data.rotated_gaussian.num_examples=1000",
    "evaluators=[likelihood]",
]
RECIPES = ["gaussian-qr", "gaussian-lu", "gaussian-qr-baseline", "gaussian-lu-baseline"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_seeds_train_as_one_batch_and_as_separate_runs(recipe, tmp_path):
    spec = diffeo.load_spec(f"nested-dropout/{recipe}", overrides=SMALL)
    seeds = (0, 3)
    assert train_together(
        {tmp_path / f"together-{seed}": reseeded(spec, seed) for seed in seeds}, World(), None, show_progress=False
    )
    for seed in seeds:
        diffeo.train(reseeded(spec, seed), tmp_path / f"alone-{seed}", show_progress=False)
        one, other = (diffeo.load(tmp_path / f"{how}-{seed}").state_dict() for how in ("together", "alone"))
        assert_close(one, other, atol=1e-9, rtol=1e-9)  # Adam divides a gradient that is 0 to rounding by itself


def test_a_seed_decides_where_training_starts_and_not_the_examples():
    specs = [diffeo.load_spec("nested-dropout/gaussian-lu", overrides=[f"seed={seed}"]) for seed in (0, 1)]
    models = []
    for spec in specs:
        torch.manual_seed(spec.seed)
        models.append(diffeo.build(spec.model, shape=(3,)))
    assert not torch.equal(*(torch.cat([p.flatten() for p in model.parameters()]) for model in models))
    examples = [diffeo.build(spec.data, seed=spec.seed).batch("train", torch.arange(10))["x"] for spec in specs]
    assert torch.equal(*examples)


@pytest.mark.parametrize("every", [1, 2])
def test_a_compiled_step_is_the_same_step(every):
    """Traced whole, with the noise handed in; the number of the step is what decides whether to decode."""
    from diffeo.noise import given_noise
    from diffeo_nested_dropout import NestedDropout

    flow = diffeo.build("model", {"flow": {"steps": ["lu_linear"]}}, shape=(3,)).double()
    objective = diffeo.build(NestedDropout(every=every, weight=1.0), model=flow, data=None).double()
    x = torch.randn(8, 3, dtype=torch.float64)
    noise = [torch.rand(1, 8, dtype=torch.float64)]

    def step(number):
        with given_noise(noise):
            return objective(flow, {"x": x}, diffeo.Progress(number, 10, 8)).value

    compiled = torch.compile(step, backend="aot_eager", fullgraph=True)
    for number in range(2, 6):
        assert_close(compiled(number), step(number))
