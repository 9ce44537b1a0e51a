"""The score along a flow: closed forms against the definition, for every step and both ways."""

from typing import Any

import pytest
import torch

import diffeo
from diffeo.testing import randomize
from diffeo_loft import Pushed, push_score
from diffeo_loft.score import draw_with_score, push_generic, score_of

DIM = 6
NETWORK = {"two_mlps": {"hidden": [16]}}
STEPS: dict[str, Any] = {
    "affine": {"coupling": {"transform": {"affine": {"scale": "soft_clamp"}}, "network": NETWORK}},
    "affine swapped": {"coupling": {"split": {"alternate": {"swap": True}}, "network": NETWORK}},
    "additive": {"coupling": {"transform": "additive"}},
    "spline": {"coupling": {"transform": {"rq_spline": {"bins": 4}}}},
    "loft": {"loft": {"tau": 0.5}},
    "scale_shift": "scale_shift",
    "fixed scale_shift": {"scale_shift": {"scale": -2.0, "shift": 1.0, "trainable": False}},
    "softplus": "softplus",
    "softplus of entries": {"softplus": {"entries": [1, 4]}},
    "reverse": "reverse",
    "shuffle": "shuffle",
    "permutation": {"permutation": {"indices": [1, 2, 3, 4, 5, 0]}},
    "chain": {"chain": {"steps": ["lu_linear", "actnorm", {"loft": {"tau": 0.2}}]}},
    "repeat": {"repeat": {"times": 3, "steps": [{"coupling": {"network": NETWORK}}, "reverse"]}},
    "invert": {"invert": {"steps": [{"loft": {"tau": 0.5}}, "scale_shift"]}},
    "lu_linear": "lu_linear",
    "qr_linear": "qr_linear",
    "actnorm": "actnorm",
    "autoregressive": {"autoregressive": {"hidden": [8]}},
}


def built(spec: Any) -> Any:
    torch.manual_seed(0)
    return randomize(diffeo.build("bijector", spec, shape=(DIM,)), seed=1, scale=0.4).double()


def log_density(x: torch.Tensor) -> torch.Tensor:
    return -0.5 * (x - 0.3).square().sum(-1) + 0.2 * (x[..., 0] * x[..., 1]).sin()


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("name", STEPS)
def test_the_score_is_the_gradient_of_the_pushed_density(name, way):
    step = built(STEPS[name])
    there, back = (step, step.inverse) if way == "forward" else (step.inverse, step)
    x = torch.randn(40, DIM, dtype=torch.float64)
    if name.startswith("softplus") and way == "forward":
        x = x.exp()

    def density(y: torch.Tensor) -> torch.Tensor:
        origin, log_det = back(y)
        return log_density(origin) + log_det

    y, log_det = there(x)
    pushed = push_score(step, x, score_of(log_density, x), way=way)
    assert torch.allclose(pushed.y, y, rtol=1e-13, atol=1e-13)
    assert torch.allclose(pushed.log_det, log_det, rtol=1e-12, atol=1e-12)
    assert torch.allclose(pushed.score, score_of(density, y), rtol=1e-9, atol=1e-9)
    assert not pushed.score.requires_grad


@pytest.mark.parametrize("start", ["base", "data"])
def test_a_flow_carries_its_score(start, make_flow):
    flow = make_flow([STEPS["affine"], "lu_linear", STEPS["repeat"], STEPS["loft"]], DIM, start=start)
    torch.manual_seed(0)
    draw = draw_with_score(flow, (30,))
    assert torch.allclose(draw.log_prob, flow.log_prob(draw.x), rtol=1e-10, atol=1e-10)
    assert torch.allclose(draw.score, score_of(flow.log_prob, draw.x), rtol=1e-9, atol=1e-9)


def test_a_flow_may_be_the_base_of_another():
    inner = {"flow": {"steps": ["scale_shift", STEPS["affine"]], "base": "diagonal_normal"}}
    flow = randomize(diffeo.build("model", {"flow": {"steps": ["lu_linear"], "base": inner}}, shape=(DIM,))).double()
    draw = draw_with_score(flow, (30,))
    assert torch.allclose(draw.score, score_of(flow.log_prob, draw.x), rtol=1e-9, atol=1e-9)


def test_layers_that_are_computed_again_take_the_generic_way(make_flow):
    flow = make_flow([STEPS["affine"], STEPS["loft"], "scale_shift"], DIM)
    torch.manual_seed(0)
    wanted = draw_with_score(flow, (10,))
    for step in flow.steps:
        step.recompute = True
    torch.manual_seed(0)
    draw = draw_with_score(flow, (10,))
    assert torch.equal(draw.x, wanted.x)
    assert torch.allclose(draw.score, wanted.score, rtol=1e-10, atol=1e-10)


def test_a_plugin_may_bring_the_closed_form_of_its_bijector(make_flow):
    class Negate(diffeo.Bijector):
        def forward(self, x, *, context=None):
            return -x, x.new_zeros(x.shape[:-1])

        def inverse(self, y, *, context=None):
            return self(y)

    step, x = Negate((DIM,)), torch.randn(5, DIM, dtype=torch.float64)
    assert torch.equal(push_score(step, x, x, way="forward").score, -x), "any bijector has a score"

    @push_score.register
    def closed(step: Negate, x: torch.Tensor, score: torch.Tensor, *, way: str) -> Pushed:
        return Pushed(-x, x.new_zeros(x.shape[:-1]), -score)

    assert torch.equal(push_score(step, x, x, way="forward").score, push_generic(step, x, x, way="forward").score)
