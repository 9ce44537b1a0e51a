"""Recipes on images: as many parameters as published, and steps that train."""

from typing import Any

import pytest
import torch

import diffeo
from diffeo.data_initialized import armed

pytest.importorskip("diffeo_data", reason="the recipes take their images from diffeo-data")

COUNTS = {
    "table3-flowpp": (27_976_464, 3_466_976, 0),
    "cifar10": (31_741_248, 3_466_976, 4_491_872),
    "table3-64": (13_400_512, 1_601_184, 2_063_264),
    "table3-56": (9_724_508, 1_219_336, 1_575_272),
    "table2-flowpp": (3_690_656, 551_152, 0),
    "table2-4ch": (3_346_574, 551_152, 322_880),
    "table2-6ch": (3_280_942, 551_152, 374_000),
    "table6-q3": (3_280_942, 551_152, 374_000),
    "table6-q6": (3_028_654, 551_152, 671_216),
    "table6-q8": (2_776_366, 551_152, 869_360),
}
"""Of p, r and q; a context network that r and q share counts in r."""

PUBLISHED = {
    "table3-flowpp": 31_443_440,
    "table2-4ch": 4_220_606,
    "table2-6ch": 4.011,
    "table6-q3": 4.011,
    "table6-q6": 4.054,
    "table6-q8": 4.002,
    "table3-56": 11.94,
    "cifar10": 37.86,
}
"""What the paper prints, to more digits: a count, or in units of 2^20."""


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_published(name):
    with torch.device("meta"):
        flow: Any = diffeo.build(diffeo.load_spec(f"vflow/{name}").model, shape=(3, 32, 32))
    r = parameters(flow.dequantization)
    augmenters = [step for step in flow.steps if step.in_shape != step.out_shape and not step.is_exact]
    q = sum(map(parameters, augmenters))
    assert (parameters(flow) - q - r, r, q) == COUNTS[name]
    published = PUBLISHED.get(name)
    if isinstance(published, int):
        assert parameters(flow) == published
    elif published is not None:
        assert parameters(flow) / 2**20 == pytest.approx(published, abs=0.005)


def test_r_and_q_of_the_small_models_learn_one_context_network():
    spec = diffeo.load_spec("vflow/table2-4ch")
    torch.manual_seed(0)
    flow: Any = diffeo.build(spec.model, shape=(3, 4, 4))
    x = torch.randint(0, 256, (4, 3, 4, 4), dtype=torch.uint8)
    with armed(flow), torch.no_grad():
        flow.elbo(x)
    (-flow.elbo(x).mean()).backward()
    q = next(step.q for step in flow.steps if hasattr(step, "q"))
    pixels = torch.randn(2, 3, 4, 4)
    flow.eval()
    assert torch.equal(q.encoder(pixels), flow.dequantization.r.encoder(pixels))
    assert all(bool(parameter.grad.isfinite().all()) for parameter in flow.parameters())
    of_both = [parameter.grad.clone() for parameter in flow.dequantization.r.encoder.parameters()]
    flow.zero_grad()
    q(pixels, None)[1].sum().backward()  # q alone reaches it too
    of_q = [parameter.grad for parameter in flow.dequantization.r.encoder.parameters()]
    assert all(bool(grad.abs().sum() > 0) for grad in [*of_both, *of_q])


def test_the_small_recipe_takes_a_step_and_samples():
    spec = diffeo.load_spec("vflow/fashion-mnist-small")
    torch.manual_seed(0)
    flow: Any = diffeo.build(spec.model, shape=(1, 16, 16))
    x = torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8)
    with armed(flow), torch.no_grad():
        flow.elbo(x)
    elbo = flow.elbo(x)
    (-elbo.mean()).backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in flow.parameters())
    flow.eval()
    with torch.no_grad():
        samples = flow.sample((2,))
    assert samples.shape == (2, 1, 16, 16)
    assert torch.equal(samples, samples.round())
    assert bool(((samples >= -15) & (samples <= 270)).all())  # the logit with alpha 0.05 reaches 14.2 beyond either end


def test_imagenet_fits_its_data():
    with torch.device("meta"):
        flow: Any = diffeo.build(diffeo.load_spec("vflow/imagenet32").model, shape=(3, 32, 32))
    assert flow.latent_shape == (24, 16, 16)
