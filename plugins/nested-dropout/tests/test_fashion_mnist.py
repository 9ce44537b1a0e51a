"""The recipe with the published settings: its size, its shapes, the order of its latents, and a step on the real images."""

from typing import Any

import pytest
import torch
from torch import nn

import diffeo
from diffeo.running import prepare
from diffeo_nested_dropout import keep_first, latent_ranks

bijectors = pytest.importorskip(
    "diffeo_bijectors", reason="needs diffeo-bijectors, of whose parts these flows are made"
)
pytest.importorskip("diffeo_data", reason="needs diffeo-data")

RECIPE = "nested-dropout/fashion-mnist"
CHANNELS = (4, 8, 16)
"""Of the three levels, each after its squeeze."""
STEPS, HIDDEN, BLOCKS, BINS = 4, 128, 3, 4
LEVELS = {1: range(512), 2: range(512, 768), 3: range(768, 1024)}
"""Where the published layout, level 1 first, has the latents of each level; its index i has rank 1023 - i."""
PUBLISHED_INDEX = torch.tensor([*LEVELS[3], *LEVELS[2], *LEVELS[1]])
"""The same for our layout, deepest level first: our latent j is number PUBLISHED_INDEX[j] of the published one."""


@pytest.fixture(scope="module")
def spec() -> diffeo.Spec:
    return diffeo.load_spec(RECIPE)


@pytest.fixture(scope="module")
def flow(spec) -> Any:
    torch.manual_seed(0)
    return diffeo.build(spec.model, shape=(1, 32, 32)).eval()


def of_type(flow: Any, kind: type) -> list[Any]:
    return [module for module in flow.modules() if type(module) is kind]


def network_size(channels: int) -> int:
    """1x1 convolution from half of the channels, blocks of two batch norms and two 3x3 convolutions, 1x1 convolution."""
    half, out = channels // 2, channels // 2 * (3 * BINS - 1)
    first, last = (half + 1) * HIDDEN, (HIDDEN + 1) * out
    block = 2 * (2 * HIDDEN) + 2 * (9 * HIDDEN + 1) * HIDDEN
    return first + BLOCKS * block + last


def linear_size(channels: int) -> int:
    """A lower and an upper triangle, a diagonal and a bias."""
    return channels * (channels - 1) + 2 * channels


def test_number_of_parameters(flow):
    """What is published, and the diagonals of the matrices of triangles, which no number depends on."""
    published = sum(
        STEPS * (2 * channels + linear_size(channels) + network_size(channels)) + linear_size(channels)
        for channels in CHANNELS
    )
    diagonals = sum((STEPS + 1) * channels for channels in CHANNELS)
    assert published == 10_734_692
    assert sum(parameter.numel() for parameter in flow.parameters()) == published + diagonals
    entries = [layer.matrix.entries for layer in of_type(flow, bijectors.Conv1x1Bijector)]
    assert sum(len(matrix.diagonal()) for matrix in entries) == diagonals
    layer = of_type(flow, bijectors.Conv1x1Bijector)[0]
    y, log_det = layer(torch.randn(2, *layer.in_shape))
    (gradient,) = torch.autograd.grad(y.square().sum() + log_det.sum(), layer.matrix.entries)
    assert not gradient.diagonal().any()


def test_shapes_of_the_levels(flow):
    multiscale = flow.steps[1]
    squeezes = of_type(flow, bijectors.SqueezeBijector)
    assert [(layer.in_shape, layer.out_shape) for layer in squeezes] == [
        ((1, 32, 32), (4, 16, 16)),
        ((2, 16, 16), (8, 8, 8)),
        ((4, 8, 8), (16, 4, 4)),
    ]
    assert multiscale.level_shapes == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]
    assert multiscale.emitted_shapes == [(2, 16, 16), (4, 8, 8)]
    assert flow.latent_shape == (1024,)


def test_steps_of_a_level(flow):
    for level in flow.steps[1].levels:
        squeeze, repeat, last = level
        kinds = [type(step) for iteration in repeat.iterations for step in iteration]
        assert type(squeeze) is bijectors.SqueezeBijector
        assert kinds == STEPS * [bijectors.ActNormBijector, bijectors.Conv1x1Bijector, bijectors.CouplingBijector]
        assert type(last) is bijectors.Conv1x1Bijector


def test_couplings(flow):
    couplings = of_type(flow, bijectors.CouplingBijector)
    assert len(couplings) == 3 * STEPS
    for layer in couplings:
        spline, network = layer.transform, layer.network
        assert (spline.num_params, spline.bound, spline.temperature) == (11, 1.0, pytest.approx(HIDDEN**0.5))
        assert (spline.min_width, spline.min_height, spline.min_derivative) == (1e-3, 1e-3, 1e-3)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        assert [(norm.num_features, norm.eps) for norm in norms] == 2 * BLOCKS * [(HIDDEN, 1e-3)]
        assert network.output_layer.weight.abs().max() > 0.5 / HIDDEN**0.5  # it does not start at zero
        for block in network.blocks:
            assert block.second.weight.abs().max() <= 1e-3
        x = torch.rand(1, *layer.in_shape) - 0.5
        changed = (layer(x)[0] != x).flatten(2).any(-1)[0]
        half = layer.in_shape[0] // 2
        assert changed[:half].all()
        assert not changed[half:].any()


def test_settings(spec):
    objective, trainer = spec.objective, spec.trainer
    assert (objective.weight, objective.order.p, objective.units) == (1e-3, 1e-3, "bits_per_dim")
    assert (objective.distance, objective.unit, objective.draws, objective.every) == ("mean", 1.0, 1, 1)
    assert (objective.latents, objective.statistics) == ("natural", "frozen")
    assert (trainer.steps, trainer.batch_size, trainer.optimizer.lr) == (100_000, 256, 5e-4)
    assert (trainer.schedule.final, trainer.schedule.warmup) == (0.0, 0)
    assert (trainer.clip, trainer.ema, trainer.save_every, spec.seed) == (None, None, 500, 314833845)
    assert (spec.data.pad, spec.data.flip, spec.data.num_val) == (2, 0.5, 10_000)


def published_latents(flow: Any, y: torch.Tensor) -> torch.Tensor:
    """Level after level, by hand: the first half of the channels is emitted, the second half goes on."""
    x, emitted = flow.steps[0](y)[0], []
    for level in flow.steps[1].levels:
        for step in level:
            x, _ = step(x)
        if level is not flow.steps[1].levels[-1]:
            first, x = x.chunk(2, 1)
            emitted.append(first)
    return torch.cat([part.flatten(1) for part in (*emitted, x)], 1)


def test_our_layout_is_the_published_one_with_its_levels_in_reverse(flow):
    y = 256 * torch.rand(2, 1, 32, 32)
    z, _ = flow.encode(y)
    assert torch.equal(z, published_latents(flow, y)[:, PUBLISHED_INDEX])
    torch.testing.assert_close(flow.decode(z), y, rtol=0.0, atol=1e-2)  # a float32 flow of 256 grey levels


def test_published_rank_of_our_latents():
    """The same level at every rank; within a level the published runs go from its last latent to its first."""
    ours, theirs = latent_ranks("natural", 1024), 1023 - PUBLISHED_INDEX
    assert torch.equal(theirs[:256], 255 - ours[:256])
    assert torch.equal(theirs[256:512], 767 - ours[256:512])
    assert torch.equal(theirs[512:], 1535 - ours[512:])


@pytest.mark.parametrize("k", [1, 100, 255, 256, 257, 400, 512, 513, 1000, 1024])
def test_deep_latents_are_kept_first(k):
    kept = keep_first(torch.ones(1024), torch.tensor(k), latent_ranks("natural", 1024)).bool()
    ours = set(PUBLISHED_INDEX[kept].tolist())
    theirs = {index for index in range(1024) if 1023 - index < k}
    for level, most in ((3, k), (2, k - 256), (1, k - 512)):
        size = min(max(most, 0), len(LEVELS[level]))
        assert len(ours.intersection(LEVELS[level])) == len(theirs.intersection(LEVELS[level])) == size
    assert (ours == theirs) == (k in (256, 512, 1024))


def test_one_training_step_on_the_real_images(tmp_path):
    changes = ["trainer.batch_size=8", "evaluators=[]", "trainer.eval_examples=0", "trainer.device=cpu"]
    try:
        loop = prepare(diffeo.load_spec(RECIPE, overrides=changes), tmp_path / "run")
    except diffeo.SpecError as error:
        if "expected the Fashion-MNIST files" not in str(error):
            raise
        pytest.skip(str(error))
    loop.initialize()
    loop.module.train()
    before = [parameter.detach().clone() for parameter in loop.parameters]
    metrics, _ = loop.take_step()
    loss = metrics["bits_per_dim"] + 1e-3 * metrics["reconstruction_error"]
    torch.testing.assert_close(metrics["loss"], loss, rtol=1e-4, atol=0.0)
    assert 0.0 < metrics["bits_per_dim"] < 20.0
    assert 0.0 < metrics["reconstruction_error"] < 256.0**2
    assert all(not torch.equal(*pair) for pair in zip(before, loop.parameters, strict=True))


@pytest.mark.parametrize(("statistics", "times"), [("frozen", 1), ("batch", 2)])
def test_batch_normalisation_in_the_small_recipe(statistics, times, tmp_path):
    """Its averages see a step once where the way back uses the statistics of the way there, else twice."""
    network = "model.flow.steps[1].multiscale.steps[1].repeat.steps[2].coupling.network.conv_resnet"
    changes = [f"{network}.norm=batch", f"objective.nested_dropout.statistics={statistics}", "trainer.device=cpu"]
    spec = diffeo.load_spec(f"{RECIPE}-small", overrides=[*changes, "trainer.batch_size=8", "evaluators=[]"])
    loop = prepare(spec, tmp_path / "run")
    loop.initialize()
    loop.module.train()
    before = batches_seen(loop.module)
    metrics, _ = loop.take_step()
    assert torch.isfinite(metrics["loss"])
    assert batches_seen(loop.module) == before + times


def batches_seen(module: nn.Module) -> int:
    """By every batch normalisation alike."""
    counts = {int(part.num_batches_tracked) for part in module.modules() if isinstance(part, nn.BatchNorm2d)}
    assert len(counts) == 1
    return counts.pop()
