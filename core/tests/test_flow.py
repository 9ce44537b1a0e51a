"""The flow: densities, bounds, contexts, both starting points, and what it says about bad input."""

import math

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.noise import given_noise

STEPS = ["stretch", "sinh", {"stretch": {"log_scale": -0.5}}]


def flow(steps, shape=(2,), context_shape=None, **fields):
    torch.manual_seed(0)
    return diffeo.build(
        "model", {"flow": {"steps": steps, **fields}}, shape=shape, context_shape=context_shape
    ).double()


@pytest.mark.parametrize("start", ["data", "base"])
def test_density_integrates_to_one(start):
    model = flow(STEPS, start=start)
    axis = torch.linspace(-60, 60, 2401, dtype=torch.float64).sinh() if start == "base" else None
    axis = torch.linspace(-12, 12, 1201, dtype=torch.float64) if axis is None else axis[axis.abs() < 1e5]
    one = flow(STEPS, shape=(1,), start=start)
    density = one.log_prob(axis[:, None]).exp()
    assert_close(torch.trapezoid(density, axis).item(), 1.0, atol=2e-3, rtol=0)
    assert model.is_exact


@pytest.mark.parametrize("start", ["data", "base"])
def test_sample_and_log_prob_agrees_with_log_prob(start):
    model = flow(STEPS, start=start)
    x, log_prob = model.sample_and_log_prob((5, 3))
    assert x.shape == (5, 3, 2)
    assert_close(log_prob, model.log_prob(x), atol=1e-10, rtol=0)
    assert x.requires_grad


@pytest.mark.parametrize("start", ["data", "base"])
def test_decode_undoes_encode(start):
    model = flow(STEPS, start=start)
    y = torch.randn(4, 2, dtype=torch.float64)
    z, log_weight = model.encode(y)
    assert_close(model.decode(z), y)
    assert_close(model.base.log_prob(z) + log_weight, model.log_prob(y))


def test_bound_rises_to_the_exact_density():
    """With q(z|x) = N(sum x, 1) and a base N(0, I), p(x) is N(0, I): the bound approaches it from below."""
    model = flow(["append"])
    x = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    exact = -0.5 * x.square().sum() - math.log(2 * math.pi)
    torch.manual_seed(0)
    draws = model.elbo(x.expand(20_000, 2))
    weights = (draws - exact).exp()
    assert abs(weights.mean() - 1) < 4 * weights.std() / math.sqrt(len(weights))
    bounds = [model.log_prob(x.expand(2000, 2), num_samples=k).mean() for k in (1, 4, 64)]
    assert bounds[0] < bounds[1] < bounds[2] < exact + 0.01


def test_chunks_do_not_change_the_bound():
    model = flow(["append", "stretch"])
    x = torch.randn(3, 2, dtype=torch.float64)
    torch.manual_seed(1)
    one = model.log_prob(x, num_samples=4000, chunk=4000)
    many = model.log_prob(x, num_samples=4000, chunk=37)
    assert_close(one, many, atol=0.2, rtol=0)
    assert model.decode(model.encode(x)[0]).shape == x.shape


def test_context_moves_the_density_and_broadcasts():
    model = flow(STEPS, context_shape=(3,))
    x, context = torch.randn(5, 4, 2, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    both = model.log_prob(x, context=context)
    assert both.shape == (5, 4)
    assert_close(both[2, 1], model.log_prob(x[2, 1], context=context[1]))
    assert model.sample((7,), context=context).shape == (7, 4, 2)
    assert model.sample(context=context[0]).shape == (2,)
    assert not torch.allclose(both, model.log_prob(x, context=context + 1))


def test_context_network_runs_once_and_reaches_every_step():
    model = flow(STEPS, context_shape=(4, 2), context_network={"lift": {"out": 5}})
    calls = []
    model.context_network.register_forward_hook(lambda *_: calls.append(1))
    x, context = torch.randn(6, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    model.log_prob(x, context=context).sum().backward()
    assert len(calls) == 1
    assert model.context_network.linear.weight.grad.abs().sum() > 0


def test_dequantization_turns_integers_into_densities_and_back():
    model = flow(["stretch"], dequantization="jitter")
    x = torch.randint(5, (10, 2), dtype=torch.uint8)
    y, log_weight = model.dequantize(x)
    assert ((y >= x) & (y < x + 1)).all()
    assert_close(log_weight, torch.zeros(10, dtype=torch.float64))
    assert not model.is_exact
    samples = model.sample((50,))
    assert_close(samples, samples.round())


def test_what_thousands_of_draws_add_is_not_lost_in_float32():
    """Far from 0, where a float32 has steps of 1e-3, the bound is that of float64 with the same noise."""
    model, bounds = flow([{"append": {"handed": True}}]), []
    x = torch.tensor([[90.0, -89.5], [-91.0, 91.25], [95.0, -95.0]], dtype=torch.float64)
    noise = torch.randn(4096, 3, 1, dtype=torch.float64)
    for dtype in (torch.float64, torch.float32):
        with given_noise(noise.to(dtype)[:, None].unbind(0)):
            bounds.append(model.to(dtype).log_prob(x.to(dtype), num_samples=4096, chunk=1))
    assert float(bounds[0].max()) < -8000
    assert_close(bounds[1].double(), bounds[0], atol=2e-3, rtol=0)


def test_temperature_scales_about_the_location():
    model = flow([])
    torch.manual_seed(0)
    wide = model.sample((1000,), temperature=2.0)
    torch.manual_seed(0)
    assert_close(wide, 2 * model.sample((1000,)))


def test_a_flow_is_a_base_and_shapes_thread_through():
    model = flow(["fold", "stretch"], shape=(1, 4), base={"flow": {"steps": ["sinh"]}})
    assert model.latent_shape == (2, 2)
    assert model.log_prob(torch.randn(3, 1, 4, dtype=torch.float64)).shape == (3,)


@pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 0, 3)])
def test_any_leading_batch_shape(batch):
    model = flow(["append", *STEPS])
    x = torch.randn(*batch, 2, dtype=torch.float64)
    assert model.elbo(x).shape == batch
    assert model.log_prob(x, num_samples=3).shape == batch


def test_double_gives_double_samples():
    assert flow(STEPS).sample((2,)).dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.log_prob(torch.zeros(3, 3)), r"expected x of shape \(\*B, 2\); got \(3, 3\)"),
        (lambda f: f.log_prob(torch.zeros(3, 2, dtype=torch.float64)), "expected x of the flow's dtype torch.float32"),
        (lambda f: f.log_prob(torch.zeros(3, 2, dtype=torch.uint8)), "write 'dequantization: uniform'"),
        (lambda f: f.log_prob(torch.zeros(3, 2), context=torch.zeros(1)), "expected no context; got"),
        (lambda f: f.decode(torch.zeros(3, 1)), r"expected z of shape \(\*B, 2\)"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call(diffeo.build("model", {"flow": {"steps": ["stretch"]}}, shape=(2,)))


def test_bad_contexts_are_told():
    model = diffeo.build("model", {"flow": {"steps": ["stretch"]}}, shape=(2,), context_shape=(3,))
    x = torch.zeros(4, 2)
    with pytest.raises(ValueError, match=r"expected a context of shape \(3,\) per row; got none"):
        model.log_prob(x)
    with pytest.raises(ValueError, match=r"expected a context of shape \(\*B, 3\); got \(4, 2\)"):
        model.log_prob(x, context=torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"broadcasts to \(4,\); got \(5,\)"):
        model.log_prob(x, context=torch.zeros(5, 3))


@pytest.mark.parametrize("more", [{}, {"context_network": {"lift": {"out": 3}}}])
def test_a_context_is_converted_to_the_dtype_of_the_flow(more):
    model = flow(["stretch"], context_shape=(3,), **more)
    x, context = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 3)
    assert_close(model.log_prob(x, context=context), model.log_prob(x, context=context.double()), rtol=0, atol=0)
    assert model.sample(context=context).dtype == torch.float64


def test_a_bound_is_never_called_a_density():
    model = diffeo.build("model", {"flow": {"steps": ["append"]}}, shape=(2,))
    with pytest.raises(ValueError, match="expected num_samples: this flow draws noise"):
        model.log_prob(torch.zeros(2))
    for chunk in (0, -1):
        with pytest.raises(ValueError, match=f"expected chunk >= 1; got {chunk}"):
            model.log_prob(torch.zeros(2), num_samples=2, chunk=chunk)
    with pytest.raises(ValueError, match="expected an exact flow for sample_and_log_prob"):
        model.sample_and_log_prob()


def test_start_at_the_base_needs_bijectors():
    with pytest.raises(
        diffeo.BuildError, match=r"flow.steps\[0\]: expected a bijector inside a flow that starts at the base"
    ):
        diffeo.build("model", {"flow": {"start": "base", "steps": ["append"]}}, shape=(2,))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
@pytest.mark.parametrize("start", ["data", "base"])
def test_density_compiles_as_one_graph(start):
    model = flow(STEPS, start=start)
    x = torch.randn(4, 2, dtype=torch.float64)
    compiled = torch.compile(model.log_prob, fullgraph=True, backend="aot_eager")
    assert_close(compiled(x), model.log_prob(x))
    decode = torch.compile(model.decode, fullgraph=True, backend="aot_eager")
    assert_close(decode(x), model.decode(x))


def test_density_per_row_by_vmap():
    model = flow([*STEPS, {"chain": {"steps": ["sinh"]}}], base="diagonal_normal")
    x = torch.randn(4, 2, dtype=torch.float64)
    assert_close(torch.func.vmap(model.log_prob)(x), model.log_prob(x))
    scores = torch.func.vmap(torch.func.grad(model.log_prob))(x)
    assert_close(scores, torch.autograd.grad(model.log_prob(x.requires_grad_()).sum(), x)[0])


def test_deepcopy_and_meta():
    import copy

    model = flow(["append", *STEPS], base="diagonal_normal")
    x = torch.randn(4, 2, dtype=torch.float64)
    z, _ = model.encode(x)
    assert_close(copy.deepcopy(model).decode(z), model.decode(z))
    with torch.device("meta"):
        meta = diffeo.build("model", {"flow": {"steps": STEPS, "base": "diagonal_normal"}}, shape=(2,))
        assert meta.log_prob(torch.empty(3, 2)).shape == (3,)
        assert meta.sample((3,)).device.type == "meta"
