"""The augmenter, the dequantization and what they draw from: every law of their kinds, and what only they promise."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.testing import Check, CorrelatedNormal, check_augmenter_law, conformance, integral_over_plane, randomize
from diffeo_vflow.conformance_augment import (
    IMAGES,
    LOGIT_IMAGES,
    LOGIT_VECTORS,
    NORMAL,
    SIGMOID,
    VECTORS,
    couplings,
    flow,
)

NAMES = (
    "augmenter/vflow",
    "dequantization/variational",
    "distribution/conditional_normal",
    "distribution/diagonal_logistic",
)
CHECKS = [check for name in NAMES for check in conformance(name)]


@pytest.mark.parametrize("check", [check for check in CHECKS if not check.is_extra], ids=str)
def test_conformance(check: Check) -> None:
    check()


@pytest.mark.long
@pytest.mark.parametrize("check", [check for check in CHECKS if check.is_extra], ids=str)
def test_slow_conformance(check: Check) -> None:
    check()


def build(kind: str, spec: Any, shape: tuple[int, ...], context_shape: Any = None, scale: float = 0.2) -> Any:
    torch.manual_seed(0)
    part = diffeo.build(kind, spec, shape=shape, context_shape=context_shape)
    return randomize(part, 1, scale).double().eval()


def draws(layer: Any, x: torch.Tensor, context: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
    """``augment`` with the same noise every time."""
    torch.manual_seed(7)
    return layer.augment(x, context=context)


# The augmenter

QS = {
    "N(0, I)": "standard_normal",
    "a trained normal": "diagonal_normal",
    "a conditional normal": NORMAL,
    "a conditional flow": VECTORS,
    "a conditional flow onto (0, 1)": flow(
        *couplings("half", {"mlp": {"hidden": [8]}}), SIGMOID, base="diagonal_logistic"
    ),
}


@pytest.mark.parametrize("q", QS)
def test_the_mean_weight_is_the_marginal_density(q: str) -> None:
    """E[p(x, z) / q(z | x)] = p(x), point by point, for a p with correlations between x and z."""
    layer = build("augmenter", {"vflow": {"dims": 2, "distribution": QS[q]}}, (2,))
    x = torch.tensor([[0.0, 0.0], [0.5, -0.5], [-0.3, 0.8]], dtype=torch.float64)
    p = CorrelatedNormal(4, seed=1)
    p.covariance, p.mean = 0.3 * p.covariance, 0.3 * p.mean  # narrower than q, so that weights are bounded
    if "(0, 1)" in q:  # only what lies on the support of q counts: a uniform z, apart from x
        check_augmenter_law(layer, x, lambda y: p.marginal(y[..., :2]), p.marginal, draws=40_000)
    else:
        check_augmenter_law(layer, x, p.log_prob, p.marginal, draws=40_000)


def test_the_weight_is_minus_the_log_density_of_z() -> None:
    for spec, shape in ((VECTORS, (2,)), (IMAGES, (1, 2, 2))):
        layer = build("augmenter", {"vflow": {"dims": 2, "distribution": spec}}, shape, scale=0.5)
        x = torch.randn(6, *shape, dtype=torch.float64)
        y, log_weight = layer.augment(x)
        z = y[:, shape[0] :]
        assert_close(log_weight, -layer.q.distribution.log_prob(z, context=x), atol=1e-9, rtol=0)


def test_q_with_a_final_sigmoid_draws_in_the_unit_interval() -> None:
    spec = {"vflow": {"dims": 2, "distribution": flow(*couplings("half", {"mlp": {"hidden": [8]}}), SIGMOID)}}
    z = build("augmenter", spec, (3,)).augment(torch.randn(500, 3, dtype=torch.float64))[0][:, 3:]
    assert ((z > 0) & (z < 1)).all()
    assert z.std() > 0.1


def test_new_channels_stand_behind_those_of_the_image() -> None:
    x = torch.randn(4, 3, 6, 5)
    y, _ = diffeo.build("augmenter", {"vflow": {"dims": 2}}, shape=(3, 6, 5)).augment(x)
    assert y.shape == (4, 5, 6, 5)
    assert torch.equal(y[:, :3], x)


@pytest.mark.parametrize(
    ("shape", "context_shape", "want"),
    [((3,), (2,), (5,)), ((1, 2, 2), (3,), (4, 2, 2)), ((1, 2, 2), (2, 2, 2), (3, 2, 2))],
)
def test_the_outer_context_stands_beside_x(shape: Any, context_shape: Any, want: Any) -> None:
    layer = build("augmenter", {"vflow": {"dims": 2, "distribution": NORMAL}}, shape, context_shape)
    assert layer.q.distribution.context_shape == want
    x, context = torch.randn(5, *shape).double(), torch.randn(5, *context_shape).double()
    (y, weight), (other_y, other_weight) = draws(layer, x, context), draws(layer, x, context + 1)
    assert torch.equal(y[:, : shape[0]], other_y[:, : shape[0]])
    assert (y[:, shape[0] :] != other_y[:, shape[0] :]).any()
    assert (weight != other_weight).any()


def test_an_encoder_stands_between_x_and_q() -> None:
    spec = {"vflow": {"distribution": NORMAL, "encoder": {"mlp_encoder": {"out": 7}}}}
    layer = build("augmenter", spec, (2, 4), (3,))
    assert layer.q.distribution.context_shape == (10,)
    first, second = (
        draws(layer, torch.full((1, 2, 4), value).double(), torch.zeros(1, 3).double()) for value in (0.0, 1.0)
    )
    assert first[0][0, 2, 0] != second[0][0, 2, 0]


def test_a_network_for_images_sees_the_pixels_of_x() -> None:
    """q for images may be convolutional: the context it is given has the height and width of z."""
    layer = build("augmenter", {"vflow": {"dims": 2, "distribution": IMAGES}}, (3, 8, 8), (10,))
    assert layer.augment(torch.randn(2, 3, 8, 8).double(), context=torch.randn(2, 10).double())[0].shape == (2, 5, 8, 8)


# The dequantization

RS = {"logistics": "diagonal_logistic", "a conditional normal": NORMAL, "a conditional flow": LOGIT_VECTORS}


@pytest.mark.parametrize("r", ["logistics", "a conditional flow"])
def test_the_mean_weight_is_the_probability_of_an_integer(r: str) -> None:
    """E[p(x + u) / r(u | x)] is the mass of p on the unit square at x, here by quadrature."""
    spec = {"variational": {"distribution": RS[r], "scale": 1.0, "shift": 0.0}}
    layer, density = build("dequantization", spec, (2,)), CorrelatedNormal(2, seed=1)
    x = torch.tensor([[0.0, 0.0], [-1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    masses = [integral_over_plane(density.log_prob, (a, a + 1), (b, b + 1)) for a, b in x.tolist()]
    want = torch.tensor(masses, dtype=torch.float64).log()
    check_augmenter_law(layer, x, density.log_prob, lambda _: want, draws=40_000)


@pytest.mark.parametrize("r", RS)
def test_r_is_the_density_of_u(r: str) -> None:
    """exp(-log_weight) integrates to 1 over the cell: for one entry, by the change of variables u = sigmoid(v)."""
    layer = build(
        "dequantization", {"variational": {"distribution": RS[r] if "flow" not in r else "diagonal_logistic"}}, (1,)
    )
    x = torch.full((200_000, 1), 17.0, dtype=torch.float64)
    with torch.no_grad():
        y, log_weight = layer.augment(x)
    # E_r[1 / r(u)] over the middle half of the cell is its length; the tails of a normal r would need far more draws.
    weights = log_weight.exp() * ((y[:, 0] > 17.25) & (y[:, 0] < 17.75))
    error = float(weights.std()) / len(x) ** 0.5
    assert abs(float(weights.mean()) - 0.5) < 4 * error


def test_it_starts_as_uniform_dequantization() -> None:
    layer = diffeo.build("dequantization", "variational", shape=(3,)).double()
    y, log_weight = layer.augment(torch.full((50_000, 3), 7, dtype=torch.uint8))
    assert_close(log_weight, torch.zeros_like(log_weight), atol=1e-12, rtol=0)
    assert abs(float((y.detach() - 7.5).mean())) < 4 * (1 / 12 / y.numel()) ** 0.5


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32, torch.float64])
def test_every_byte_comes_back(dtype: torch.dtype) -> None:
    """Even where r sits at the very edge of the cell, and float32 rounds u to 0 or 1."""
    x = torch.arange(256).to(dtype).reshape(64, 4)
    for loc in (-100.0, 0.0, 100.0):
        layer = diffeo.build("dequantization", "variational", shape=(4,))
        layer.r.distribution.loc.data.fill_(loc)
        y, log_weight = layer.to(torch.float64 if dtype == torch.float64 else torch.float32).augment(x)
        assert torch.equal(layer.strip(y).to(dtype), x)
        assert log_weight.isfinite().all()


def test_r_sees_x_in_the_unit_it_is_given() -> None:
    """With scale 1/256 and shift -0.5 it is given values in [-0.5, 0.5)."""
    layer = build("dequantization", {"variational": {"distribution": NORMAL}}, (3,))
    seen: list[torch.Tensor] = []
    layer.r.distribution.network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    layer.augment(torch.tensor([[0.0, 128.0, 255.0]], dtype=torch.float64))
    assert seen[0].tolist() == [[-0.5, 0.0, 255 / 256 - 0.5]]


# Together, in a flow

IMAGE_FLOW = {
    "flow": {
        "dequantization": {"variational": {"distribution": LOGIT_IMAGES}},
        "steps": [
            {"scale_shift": {"scale": 0.00390625, "shift": 0.0, "trainable": False}},
            {"logit": {"alpha": 0.05}},
            {"vflow": {"dims": 2, "distribution": IMAGES}},
            "squeeze",
            *couplings("channel", {"conv_resnet": {"channels": 4, "blocks": 1}}),
        ],
    }
}


def test_both_stand_in_a_flow_over_images() -> None:
    model = build("model", IMAGE_FLOW, (2, 4, 4))
    x = torch.randint(256, (3, 2, 4, 4))
    assert model.latent_shape == (16, 2, 2)
    assert not model.is_exact
    bounds = [model.log_prob(x, num_samples=number) for number in (1, 64)]
    assert bounds[1].mean() > bounds[0].mean()
    sample = model.sample((5,))
    assert sample.shape == (5, 2, 4, 4)
    assert torch.equal(sample, sample.round())


def test_draws_of_a_flow_are_those_of_all_noise_together() -> None:
    """Both u and z are drawn anew for every draw of the bound."""
    model = build("model", IMAGE_FLOW, (2, 4, 4))
    y, _ = model.dequantize(torch.full((2, 2, 4, 4), 9))
    assert (y[0] != y[1]).all()
    z = model.encode(y[:1].expand(2, 2, 4, 4))[0]
    assert (z[0] != z[1]).any()


# What does not fit

BAD = {
    "no extra dimensions": ("augmenter", {"vflow": {"dims": 0}}, (2,), None, "dims: expected a value >= 1; got 0"),
    "a bound for q": (
        "augmenter",
        {"vflow": {"distribution": {"flow": {"steps": ["vflow"]}}}},
        (2,),
        None,
        "expected a distribution whose density is exact; got one that only bounds it",
    ),
    "a q that changes the shape": (
        "augmenter",
        {"vflow": {"dims": 4, "distribution": flow("squeeze")}},
        (1, 2, 2),
        None,
        r"expected steps that keep the shape inside a flow that starts at the base; got \(4, 2, 2\) to \(16, 1, 1\)",
    ),
    "a q that does not fit one dimension": (
        "augmenter",
        {"vflow": {"dims": 1, "distribution": VECTORS}},
        (2,),
        None,
        "expected a vector with at least 2 entries",
    ),
    "an encoder for nobody": (
        "augmenter",
        {"vflow": {"encoder": "mlp_encoder"}},
        (2,),
        None,
        "for the encoder to work for",
    ),
    "a context of another size": (
        "augmenter",
        {"vflow": {"distribution": NORMAL}},
        (1, 4, 4),
        (1, 2, 2),
        r"expected a context of shape \(F,\) or \(C, 4, 4\), to stand beside \(1, 4, 4\); got \(1, 2, 2\)",
    ),
    "a normal without a context": ("distribution", NORMAL, (2,), None, "expected a context, .*; got none"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_told_in_a_line(what: str) -> None:
    kind, spec, shape, context_shape, message = BAD[what]
    with pytest.raises(diffeo.DiffeoError, match=message) as error:
        diffeo.build(kind, spec, shape=shape, context_shape=context_shape)
    assert len(str(error.value).strip().splitlines()) == 1


def test_a_bound_without_a_number_of_draws_is_refused() -> None:
    model = diffeo.build("model", {"flow": {"steps": ["vflow"]}}, shape=(2,))
    with pytest.raises(ValueError, match="expected num_samples: this flow draws noise"):
        model.log_prob(torch.zeros(1, 2))


def test_a_distribution_of_other_events_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a third party, say, whose shape is fixed."""
    from diffeo.normals import StandardNormalDistribution

    def fixed(self: Any, config: Any, shape: Any, context_shape: Any = None) -> None:
        super(StandardNormalDistribution, self).__init__((7,), context_shape)

    monkeypatch.setattr(StandardNormalDistribution, "__init__", fixed)
    with pytest.raises(diffeo.BuildError, match=r"events of shape \(2,\); got one of \(7,\)"):
        diffeo.build("augmenter", {"vflow": {"dims": 2}}, shape=(3,))
