"""The objective: its value by enumeration, its gradient by differences, its units, and what it refuses."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.noise import given_noise, recorded_draws
from diffeo_nested_dropout import NestedDropout, keep_first, latent_ranks
from diffeo_registry import SpecError

pytest.importorskip("diffeo_bijectors", reason="needs diffeo-bijectors, of whose parts these flows are made")

LINEAR = {"flow": {"steps": [{"qr_linear": {"reflections": 3, "init": "uniform"}}]}}
COUPLINGS = {
    "flow": {
        "steps": [
            {"coupling": {"split": {"half": {"swap": swap}}, "network": {"mlp": {"hidden": [8]}}}}
            for swap in (False, True)
        ]
    }
}
IMAGES = {
    "flow": {
        "dequantization": "uniform",
        "steps": [
            {"scale_shift": {"scale": 0.25, "shift": -0.5, "trainable": False}},
            {"multiscale": {"levels": 2, "steps": ["squeeze", {"conv1x1": {"init": "uniform"}}]}},
        ],
    }
}


def made(fields, model=LINEAR, shape=(4,), context_shape=None):
    """(objective, model), at random parameters in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = diffeo.build("model", model, shape=shape, context_shape=context_shape).double()
        for parameter in flow.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
    return diffeo.build(NestedDropout(**fields), model=flow, data=None), flow


def points(rows=6, shape=(4,)):
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def uniform_grid(draws, rows):
    """Uniform numbers of which every one of ``draws`` equal intervals holds one, in every column."""
    return ((torch.arange(draws, dtype=torch.float64) + 0.5) / draws)[:, None].expand(draws, rows).contiguous()


def loss_of(objective, flow, x, *, noise=None, step=0, **more):
    progress = diffeo.Progress(step, 10, len(x))
    if noise is None:
        return objective(flow, {"x": x, **more}, progress)
    with given_noise(noise):
        return objective(flow, {"x": x, **more}, progress)


@pytest.mark.parametrize("latents", ["natural", "reversed", "random"])
def test_the_loss_is_its_definition_by_enumeration(latents):
    """A uniform order over 4 latents with one u in each quarter: the mean over k of the error of what k latents decode to."""
    objective, flow = made(
        {"weight": 0.7, "order": "uniform", "draws": 4, "units": "nats", "latents": latents}, COUPLINGS
    )
    x = points()
    z, _ = flow.encode(x)
    ranks = latent_ranks(latents, 4)
    errors = [(x - flow.decode(z * (ranks < k))).square().mean() for k in (1, 2, 3, 4)]
    expected = -flow.log_prob(x).mean() + 0.7 * torch.stack(errors).mean()
    loss = loss_of(objective, flow, x, noise=[uniform_grid(4, len(x))])
    assert_close(loss.value, expected, atol=1e-12, rtol=0)
    assert_close(loss.metrics["reconstruction_error"], torch.stack(errors).mean(), atol=1e-12, rtol=0)
    assert errors[3] < 1e-20


def test_every_example_has_a_number_of_latents_of_its_own():
    objective, flow = made({"weight": 1.0, "order": "uniform", "units": "nats"})
    x = points(4)
    z, _ = flow.encode(x)
    decoded = torch.stack([flow.decode(keep_first(z[row], torch.tensor(row + 1), torch.arange(4))) for row in range(4)])
    error = loss_of(objective, flow, x, noise=[torch.tensor([[0.1, 0.3, 0.6, 0.9]]).double()])
    assert_close(error.metrics["reconstruction_error"], (x - decoded).square().mean(), atol=1e-12, rtol=0)


def test_what_principal_axes_leave_out_is_their_variance():
    """An orthogonal flow whose latents are the principal axes: the error of k of them is the sum of the other variances."""
    x = points(50)
    x = x @ torch.diag(torch.tensor([1.0, 0.5, 0.2, 0.1]).double())
    variances, axes = torch.linalg.eigh(x.mT @ x / len(x))
    objective, _ = made({"weight": 1.0, "order": {"categorical": {"sizes": [2]}}, "units": "nats"})
    basis = axes.flip(-1)
    flow = SimpleNamespace(
        latent_shape=(4,),
        event_shape=(4,),
        like=x,
        modules=list,
        encode_data=lambda x, context: SimpleNamespace(y=x, z=x @ basis, elbo=torch.zeros(len(x)).double()),
        decode=lambda z, context: z @ basis.mT,
    )
    loss = loss_of(objective, flow, x)
    assert_close(loss.value, variances[:2].sum() / 4, atol=1e-12, rtol=0)


@pytest.mark.parametrize("model", [LINEAR, COUPLINGS], ids=["linear", "couplings"])
def test_the_gradient_flows_both_ways(model):
    objective, flow = made({"weight": 0.5, "order": "uniform", "units": "nats", "draws": 2}, model)
    x, noise = points(), [torch.rand(2, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)]
    names = [name for name, _ in flow.named_parameters()]

    def value(*tensors):
        return torch.func.functional_call(
            _Step(objective, flow), dict(zip(_names(names), tensors, strict=True)), (x, noise)
        )

    parameters = [parameter.detach().requires_grad_() for parameter in flow.parameters()]
    assert torch.autograd.gradcheck(value, parameters, atol=1e-6, rtol=1e-4)


class _Step(torch.nn.Module):
    def __init__(self, objective, flow):
        super().__init__()
        self.objective, self.flow = objective, flow

    def forward(self, x, noise):
        return loss_of(self.objective, self.flow, x, noise=noise).value


def _names(names):
    return [f"flow.{name}" for name in names]


def test_weight_0_is_maximum_likelihood_and_decodes_nothing(monkeypatch):
    objective, flow = made({"weight": 0.0, "units": "nats"})
    monkeypatch.setattr(type(flow), "decode", lambda *_, **__: pytest.fail("decoded"))
    with recorded_draws() as draws:
        loss = loss_of(objective, flow, points())
    assert_close(loss.value, -flow.log_prob(points()).mean())
    assert draws == []
    assert "reconstruction_error" not in loss.metrics


def test_units_and_distance_are_those_of_the_paper_s_equation_6():
    """bits/dim and a mean over N dimensions with weight w: N ln 2 times that is nats and a sum of squares with weight w ln 2."""
    x, noise, weight = points(), [uniform_grid(1, 6)], 0.3
    fields = {"order": "uniform"}
    bits, flow = made({**fields, "weight": weight})
    nats, _ = made({**fields, "weight": weight * math.log(2), "units": "nats", "distance": "sum"})
    one, other = loss_of(bits, flow, x, noise=noise), loss_of(nats, flow, x, noise=noise)
    assert_close(one.value * 4 * math.log(2), other.value, atol=1e-12, rtol=0)


def test_the_unit_divides_errors():
    x, noise = points(), [uniform_grid(1, 6)]
    one, flow = made({"weight": 1.0, "order": "uniform"})
    other, _ = made({"weight": 1.0, "order": "uniform", "unit": 10.0})
    errors = [loss_of(objective, flow, x, noise=noise).metrics["reconstruction_error"] for objective in (one, other)]
    assert_close(errors[0], 100 * errors[1], atol=1e-12, rtol=0)


def test_the_inverse_is_paid_for_every_nth_step_only(monkeypatch):
    objective, flow = made({"weight": 0.5, "order": "uniform", "every": 3, "units": "nats"})
    plain, _ = made({"weight": 0.5, "order": "uniform", "units": "nats"})
    x, noise = points(), [uniform_grid(1, 6)]
    nll = -flow.log_prob(x).mean()
    error = loss_of(plain, flow, x, noise=noise).value - nll
    calls = []
    original = type(flow).decode
    monkeypatch.setattr(type(flow), "decode", lambda *a, **k: calls.append(1) or original(*a, **k))
    values = [loss_of(objective, flow, x, noise=noise, step=step).value - nll for step in range(6)]
    assert len(calls) == 2
    assert_close(torch.stack(values), torch.stack([3 * error, 0 * error, 0 * error] * 2), atol=1e-12, rtol=0)


def test_integers_and_images_of_several_scales():
    objective, flow = made({"weight": 1.0, "order": {"categorical": {"sizes": [64]}}}, IMAGES, (1, 8, 8))
    x = torch.randint(0, 4, (3, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    loss = loss_of(objective, flow, x)
    assert loss.metrics["reconstruction_error"] < 1e-18  # of all latents, noise of the dequantization included
    assert loss.value.isfinite()


class AppendNoise(diffeo.Augmenter):
    """Two more entries, standard normal."""

    def __init__(self):
        super().__init__((4,), (6,))

    def augment(self, x, *, context=None):
        noise = diffeo.normal_noise((*x.shape[:-1], 2), x)
        return torch.cat([x, noise], -1), 0.5 * (noise.square() + math.log(2 * math.pi)).sum(-1)

    def strip(self, y, *, context=None):
        return y[..., :4]


def test_augmented_flows_encode_with_noise_and_decode_without():
    objective, flow = made({"weight": 1.0, "order": {"categorical": {"sizes": [6]}}, "units": "nats"}, COUPLINGS, (6,))
    flow.steps.insert(0, AppendNoise())
    flow.event_shape = (4,)
    x = points()
    loss = loss_of(objective, flow, x)
    assert loss.metrics["reconstruction_error"] < 1e-20
    loss.value.backward()
    assert all(parameter.grad is not None for parameter in flow.parameters())


def test_the_deepest_level_comes_first():
    objective, flow = made({"weight": 1.0, "order": {"categorical": {"sizes": [32]}}}, IMAGES, (1, 8, 8))
    kept = keep_first(torch.ones(64), torch.tensor(32), objective.ranks)
    levels = flow.steps[1]
    assert math.prod(levels.level_shapes[-1]) == 32
    assert kept[:32].all()
    assert not kept[32:].any()


def test_a_context_reaches_both_directions():
    model = {"flow": {"steps": [{"coupling": {"network": {"mlp": {"hidden": [8]}}}}]}}
    objective, flow = made({"weight": 1.0, "order": {"categorical": {"sizes": [4]}}}, model, context_shape=(2,))
    loss = loss_of(objective, flow, points(), context=points(6, (2,)))
    assert loss.metrics["reconstruction_error"] < 1e-20


REFUSED = {
    "autoregressive": (
        {"flow": {"steps": ["autoregressive"]}},
        "as cheap to invert as to evaluate.*takes a pass for every dimension: use coupling",
    ),
    "autoregressive deep inside": (
        {"flow": {"steps": [{"repeat": {"times": 2, "steps": [{"invert": {"steps": ["autoregressive"]}}]}}]}},
        "as cheap to invert as to evaluate",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_flows_that_are_slow_to_invert_are_refused(case):
    model, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        made({"weight": 1.0}, model)
    made({"weight": 0.0}, model)


def test_a_flow_without_an_inverse_is_refused():
    flow = SimpleNamespace(latent_shape=(2,), capabilities=diffeo.Capabilities(inverse="none"))
    with pytest.raises(ValueError, match="expected a flow with an inverse"):
        diffeo.build(NestedDropout(), model=flow, data=None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("{weight: -1.0}", r"weight: expected a value >= 0; got -1\.0"),
        ("{order: {geometric: {p: 0.0}}}", r"order\.geometric\.p: expected .*> 0.*; got 0\.0"),
        ("{order: {geometric: {p: 1.5}}}", r"order\.geometric\.p: expected .*<= 1.*; got 1\.5"),
        ("{order: {categorical: {sizes: []}}}", "expected at least one number of latents; got none"),
        ("{order: {categorical: {sizes: [2, 2]}}}", "expected every number once"),
        ("{order: {categorical: {sizes: [1, 2], weights: [1.0]}}}", "expected one for each of the 2 sizes; got 1"),
        ("{order: {categorical: {sizes: [1], weights: [0.0]}}}", "expected at least one above 0"),
        ("{order: {poisson: {}}}", "no order named 'poisson'"),
        ("{latents: backwards}", "'natural', 'reversed' or 'random'"),
    ],
)
def test_fields_out_of_bounds_are_told_with_their_place(fields, message):
    with pytest.raises(SpecError, match=message):
        diffeo.build("objective", f"nested_dropout: {fields}", model=None, data=None)


def test_more_latents_than_there_are():
    with pytest.raises(ValueError, match="sizes: expected at most 4, all there are; got 5"):
        made({"order": {"categorical": {"sizes": [5]}}})


def test_a_target_is_told_what_fits_it():
    target = diffeo.CallableTarget(lambda x: -x.square().sum(-1), dim=4)
    with pytest.raises(ValueError, match="expected data with examples x; got a target"):
        diffeo.build(NestedDropout(), model=made({})[1], data=target)
