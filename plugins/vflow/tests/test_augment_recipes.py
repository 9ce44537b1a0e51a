"""The recipes on the plane: their sizes by formula, the fields that change them, and that their seeds train as one batch."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import diffeo
from diffeo.seed_together import train_together
from diffeo.spec_loading import reseeded
from diffeo.world import World
from diffeo_registry import installed, structure
from diffeo_vflow.conformance_augment import SMALL_MLP, couplings, flow

pytest.importorskip("diffeo_data", reason="needs diffeo-data, whose checkerboard these flows learn")

GLOW, VFLOW = "vflow/checkerboard-glow", "vflow/checkerboard-vflow"
BASE = "diagonal_logistic"
STEPS = {GLOW: "model.flow.steps[0].repeat.times", VFLOW: "model.flow.steps[1].repeat.times"}
DIMS = "model.flow.steps[0].vflow.dims"
SMALL_NET = "{separate_mlps: {hidden: [50, 50], init: uniform}}"
ALONE = f"model.flow.steps[0].vflow.distribution={{conditional_normal: {{network: {SMALL_NET}}}}}"
"""q for a single dimension."""


def mlp(inputs: int, outputs: int) -> int:
    return 51 * 50 + (inputs + 1) * 50 + 51 * outputs


def glow_step(size: int, context: int = 0) -> int:
    """Two couplings, each with a matrix with bias, a network for scales and one for shifts."""
    first, last = size // 2, size - size // 2
    networks = 2 * mlp(first + context, last) + 2 * mlp(last + context, first)
    return 2 * (size * size + size) + networks


def model_of(recipe: str, *overrides: str) -> Any:
    spec = diffeo.load_spec(recipe, overrides=list(overrides))
    return diffeo.build(spec.model, shape=(2,))


def size_of(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("steps", [2, 3, 20])
def test_glow_has_as_many_steps_as_it_is_told(steps: int) -> None:
    model = model_of(GLOW, f"{STEPS[GLOW]}={steps}")
    assert model.is_exact
    assert size_of(model) == steps * glow_step(2)


@pytest.mark.parametrize(("steps", "dims"), [(2, 8), (3, 8), (2, 2), (1, 6), (4, 3)])
def test_vflow_has_as_many_steps_and_dimensions_as_it_is_told(steps: int, dims: int) -> None:
    model = model_of(VFLOW, f"{STEPS[VFLOW]}={steps}", f"{DIMS}={dims}")
    assert model.latent_shape == (2 + dims,)
    assert size_of(model) == glow_step(dims, context=2) + steps * glow_step(2 + dims)


def test_a_single_extra_dimension_is_a_conditional_normal() -> None:
    model = model_of(VFLOW, f"{DIMS}=1", ALONE)
    assert model.latent_shape == (3,)
    assert size_of(model) == 2 * mlp(2, 1) + 2 * glow_step(3)


def test_networks_do_not_start_at_zero_and_scales_are_those_of_glow() -> None:
    coupling = model_of(GLOW).steps[0].iterations[0][1]
    assert coupling.network.output_layer.weight.abs().max() > 0.1
    raw = torch.linspace(-5.0, 5.0, 11)
    torch.testing.assert_close(coupling.transform.scale(raw), torch.nn.functional.logsigmoid(raw + 2.0))


@pytest.mark.parametrize(
    ("recipe", "overrides"), [(GLOW, ()), (VFLOW, ()), (VFLOW, (f"{DIMS}=1", ALONE))], ids=["glow", "ten", "three"]
)
def test_seeds_train_as_one_batch(recipe: str, overrides: tuple[str, ...], tmp_path: Path) -> None:
    """``train_together`` refuses what it cannot batch; here it must not."""
    quick = ["trainer.steps=3", "trainer.precision=float64", "evaluators=[]", "trainer.eval_every=null", *overrides]
    spec = diffeo.load_spec(recipe, overrides=quick)
    ours = {tmp_path / f"seed-{seed}": reseeded(spec, seed) for seed in (0, 1)}
    train_together(ours, World(), None, show_progress=False)
    diffeo.train(reseeded(spec, 1), tmp_path / "alone", show_progress=False)
    got, want = (diffeo.load(tmp_path / name).state_dict() for name in ("seed-1", "alone"))
    torch.testing.assert_close(got, want, atol=1e-10, rtol=1e-10)


CONV = {"conv_resnet": {"channels": 4, "blocks": 1}}
IMAGES = {
    "diffeo": 1,
    "data": {"fashion_mnist_small": {"pool": 7}},
    "model": {
        "flow": {
            "dequantization": {"variational": {"distribution": flow(*couplings("checkerboard", SMALL_MLP), base=BASE)}},
            "steps": [
                {"scale_shift": {"scale": 0.00390625, "shift": -0.5, "trainable": False}},
                {"vflow": {"distribution": {"conditional_normal": {"network": CONV}}}},
                "actnorm",
                *couplings("channel", CONV),
            ],
        }
    },
    "trainer": {"steps": 3, "batch_size": 8, "precision": "float64", "eval_every": None},
    "evaluators": [{"likelihood": {"num_samples": 8, "max_examples": 10}}, "sample_grid", "clipped_share"],
}


def test_seeds_of_noisy_image_flows_train_as_one_batch(tmp_path: Path) -> None:
    """Learned dequantization and added channels together."""
    spec = structure(IMAGES, diffeo.Spec, registry=installed())
    train_together(
        {tmp_path / f"seed-{seed}": reseeded(spec, seed) for seed in (0, 1)}, World(), None, show_progress=False
    )
    diffeo.train(reseeded(spec, 1), tmp_path / "alone", show_progress=False)
    got, want = (diffeo.load(tmp_path / name).state_dict() for name in ("seed-1", "alone"))
    torch.testing.assert_close(got, want, atol=1e-10, rtol=1e-10)


def test_the_recipe_is_measured_with_a_bound_beside_the_elbo(tmp_path: Path) -> None:
    quick = [
        "trainer.steps=2",
        "data.checkerboard.num_val=100",
        "evaluators=[{likelihood: {num_samples: 100, max_examples: 50}}, {density_2d: {resolution: 8}}, mode_transport]",
    ]
    diffeo.train(diffeo.load_spec(VFLOW, overrides=quick), tmp_path / "run", show_progress=False)
    metrics = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    assert metrics["likelihood/log_prob"] > metrics["likelihood/elbo"]
    assert {"density_2d/mass", "mode_transport/near_own_center"} <= set(metrics)
