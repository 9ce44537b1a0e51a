"""Why deep flows explode, and why the proposed one does not: 64 couplings at random parameters."""

import math

import pytest
import torch

import diffeo

DIM, LAYERS = 20, 64


def couplings(scale):
    return [
        {
            "coupling": {
                "split": {"alternate": {"swap": bool(layer % 2)}},
                "transform": {"affine": {"scale": scale}},
                "network": {"two_mlps": {"hidden": [32]}},
            }
        }
        for layer in range(LAYERS)
    ]


@pytest.fixture
def flow():
    """A function that builds a flow whose log-scales are wild and whose shifts are zero, or of standard deviation 1."""

    def make(steps, *, shifted):
        model = diffeo.build("model", {"flow": {"steps": steps, "start": "base"}}, shape=(DIM,)).double()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for step in model.steps:
                if hasattr(step, "network"):
                    scale, shift = step.network.output_layer
                    scale.weight.normal_(0.0, 1.0, generator=generator)
                    shift.bias.normal_(0.0, float(shifted), generator=generator)
        return model

    return make


def base_draws():
    return torch.randn(500, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_clamped_flow_grows_by_its_bound_at_most(flow):
    z = base_draws()
    x = flow(couplings("soft_clamp"), shifted=False).decode(z)
    assert bool((x.abs() <= math.exp(0.1 * LAYERS / 2) * z.abs()).all()), "exp(0.1 * 32) = 24.5 times"


def test_shifts_add_to_the_bound_and_no_more(flow):
    z = base_draws()
    model = flow(couplings("soft_clamp"), shifted=True)
    bound = z.abs()
    with torch.no_grad():
        for layer, step in enumerate(model.steps):
            own = bound[:, 1 - layer % 2 :: 2] * math.exp(0.1) + step.network.output_layer[1].bias.abs()
            bound = bound.clone()
            bound[:, 1 - layer % 2 :: 2] = own
    x = model.decode(z)
    assert bool((x.abs() <= bound).all())
    ended = flow([*couplings("soft_clamp"), {"loft": {"tau": 10.0}}], shifted=True).decode(z)
    assert bool((ended.abs() <= 10 + (bound - 10).clamp(min=0).log1p()).all())


def test_the_unclamped_flow_overflows(flow):
    x = flow(couplings("exp"), shifted=False).decode(base_draws())
    assert not bool(x.isfinite().all())
