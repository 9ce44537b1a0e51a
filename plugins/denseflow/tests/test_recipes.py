"""The recipes: sizes and shapes as published, and steps that train."""

from typing import Any

import pytest
import torch

import diffeo
from diffeo.data_initialized import armed

pytest.importorskip("diffeo_data", reason="the recipes take their images from diffeo-data")

CHANNELS = {
    "cifar10": ([12, 22, 32, 42, 52, 62], [124, 134, 144, 154], 308),
    "imagenet32": ([12, 22, 32, 42, 52, 62], [124, 134, 144, 154], 308),
    "cifar10-small": ([12, 18, 24, 30, 36], [72, 78, 84], 168),
}
"""Of the units of the three blocks."""
CONDITIONS = {
    "cifar10": ([12, 24, 46, 78, 120], [124, 248, 382]),
    "imagenet32": ([12, 24, 46, 78, 120], [124, 248, 382]),
    "cifar10-small": ([12, 24, 42, 66], [72, 144]),
}
"""Channels that the noise of the first two blocks depends on."""
COUPLINGS = {"cifar10": 74, "imagenet32": 74, "cifar10-small": 45}


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def recipe(name: str, shape: tuple[int, ...]) -> Any:
    with torch.device("meta"):
        return diffeo.build(diffeo.load_spec(f"denseflow/{name}").model, shape=shape)


@pytest.mark.parametrize("name", CHANNELS)
def test_shapes_are_those_of_the_paper(name):
    flow = recipe(name, (3, 32, 32))
    blocks = [step for step in flow.modules() if type(step).__name__ == "CrossUnitAugmenter"]
    *blocks_channels, last = CHANNELS[name]
    assert [[unit[0].in_shape[0] for unit in block.units] for block in blocks] == blocks_channels
    conditions = [[draw.distribution.context_shape[0] for draw in block.noise] for block in blocks]
    assert conditions == [list(widths) for widths in CONDITIONS[name]]
    couplings = [step for step in flow.steps.modules() if type(step).__name__ == "CouplingBijector"]
    assert len(couplings) == COUPLINGS[name]
    assert couplings[-1].in_shape == (last, 4, 4)
    growth = blocks[0].growth
    noise = growth * ((len(blocks_channels[0]) - 1) * 256 + (len(blocks_channels[1]) - 1) * 64)
    assert flow.latent_shape == (3072 + noise,)


def test_parameters_are_as_many_as_published():
    flow = recipe("cifar10", (3, 32, 32))
    assert parameters(flow.dequantization) == 2_395_784
    assert parameters(flow) == 130_647_294  # "130M"
    first, second = (block for block in flow.modules() if type(block).__name__ == "CrossUnitAugmenter")
    rest = parameters(flow) - parameters(flow.dequantization) - parameters(first) - parameters(second)
    assert [parameters(first), parameters(second), rest] == [48_061_410, 46_453_404, 33_736_696]
    assert parameters(recipe("cifar10-small", (3, 32, 32))) == 75_020_522


def test_the_small_recipe_takes_a_step_and_samples():
    torch.manual_seed(0)
    flow: Any = diffeo.build(diffeo.load_spec("denseflow/fashion-mnist-small").model, shape=(1, 16, 16))
    x = torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8)
    with armed(flow), torch.no_grad():
        flow.elbo(x)
    (-flow.elbo(x).mean()).backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in flow.parameters())
    flow.eval()
    with torch.no_grad():
        samples = flow.sample((2,))
        y, _ = flow.dequantize(x)
        z, _ = flow.encode(y)
        assert torch.equal(flow.decode(z).floor(), x)
    assert samples.shape == (2, 1, 16, 16)
    assert torch.equal(samples, samples.round())
