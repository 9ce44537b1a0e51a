"""Theorem 1 of VFlow (Chen et al. 2020, arXiv:2002.09741, appendix A): a wider flow can be any narrower one.

A flow f of x is put inside a flow of (x, z): what touches z alone is the identity, and what couples z to x is zero. Then (x, z)
goes to (f(x), z), and with q = N(0, I) the ELBO is the log-density of f for every draw of z, not on average.

Below, D are the dimensions of x and k those of z; halves of (x, z) are laid out as [x_a, z_a, x_b, z_b], so that a coupling keeps a
half of x and a half of z.
"""

import math

import pytest
import torch
from torch.testing import assert_close

import diffeo
from diffeo.testing import randomize

IMAGE = (4, 3, 3)
DENSE = {"conv1x1": {"parametrization": "dense", "init": "identity"}}
LU = {"lu_linear": {"permute": False}}
ORDER = {"permutation": {"indices": [0, 1, 4, 2, 3, 5]}}
"""[x_a, x_b, z_a, z_b] to [x_a, z_a, x_b, z_b] for D = 4 and k = 2."""


def coupling(split, scale, *, swap=False, network=None):
    network = network or {"mlp": {"hidden": [7, 5]}}
    return {
        "coupling": {"split": {split: {"swap": swap}}, "transform": {"affine": {"scale": scale}}, "network": network}
    }


def flow(steps, shape):
    torch.manual_seed(0)
    return diffeo.build("model", {"flow": {"steps": steps}}, shape=shape).double().eval()


def plain_and_wider(step, shape):
    """f with random parameters, and an untrained flow of two more dimensions around it."""
    return randomize(flow([step], shape), 1), flow([{"vflow": {"dims": 2}}, ORDER, step], shape)


def x_places(count):
    """Where the entries of x are among those of [x_a, z_a, x_b, z_b], per half."""
    return torch.tensor([0, 1] if count == 2 else [0, 1, 3, 4])


def put(target, source, *dims):
    """Copy a tensor of f into the entries that belong to x; the others stay as they are."""
    index = [torch.arange(size) for size in target.shape]
    for dim in dims:
        index[dim] = x_places(4)
    target[torch.meshgrid(*index, indexing="ij")] = source


@torch.no_grad()
def embed_coupling(wider, plain):
    """Inputs z_a get no weight; outputs for z_b are 0, of which the transform makes the identity."""
    hidden, ours = plain.network.hidden, wider.network.hidden
    size = hidden[0].in_features // 2  # positions of a channel; 1 for a vector
    ours[0].weight.zero_()
    ours[0].weight[:, : 2 * size] = hidden[0].weight
    ours[0].bias.copy_(hidden[0].bias)
    ours[2].load_state_dict(hidden[2].state_dict())
    for name in ("weight", "bias"):  # outputs: raw of x_b, of z_b, then shift of x_b, of z_b
        out = getattr(wider.network.output_layer, name)
        raw, shift = getattr(plain.network.output_layer, name).chunk(2)
        out.zero_()
        out[: 2 * size], out[3 * size : 5 * size] = raw, shift


@torch.no_grad()
def embed_actnorm(wider, plain):
    put(wider.shift, plain.shift, 0)
    put(wider.log_scale, plain.log_scale, 0)


@torch.no_grad()
def embed_matrix(wider, plain):
    """Block-diagonal: the matrix of f for x, the identity for z."""
    put(wider.bias, plain.bias, 0)
    if hasattr(plain.matrix, "weight"):
        put(wider.matrix.weight, plain.matrix.weight, 0, 1)
    else:
        wider.matrix.raw_diagonal.fill_(
            math.log(math.expm1(1 - 1e-3))
        )  # diagonal 1 to float64; a fresh one has that of float32
        put(wider.matrix.entries, plain.matrix.entries, 0, 1)
        put(wider.matrix.raw_diagonal, plain.matrix.raw_diagonal, 0)


EMBED = {"CouplingBijector": embed_coupling, "ActNormBijector": embed_actnorm}


def embed(wider, plain):
    EMBED.get(type(plain).__name__, embed_matrix)(wider, plain)


def assert_every_draw_is_exact(wider, plain, shape):
    x = torch.randn(5, *shape, dtype=torch.float64)
    want = plain.log_prob(x)
    draws = wider.elbo(x.expand(200, 5, *shape))
    assert wider.encode(x.expand(200, 5, *shape))[0].std(0).max() > 0.5, "expected z to be drawn anew each time"
    assert_close(draws, want.expand(200, 5), atol=1e-10, rtol=1e-12)
    assert_close(wider.log_prob(x, num_samples=3), want, atol=1e-10, rtol=1e-12)


STEPS = {
    "actnorm": ("actnorm", (4,)),
    "actnorm of an image": ("actnorm", IMAGE),
    "actnorm of every element": ({"actnorm": {"per_element": True}}, IMAGE),
    "a linear map": (LU, (4,)),
    "a 1x1 convolution": (DENSE, IMAGE),
    "a 1x1 convolution as LU": ({"conv1x1": {"permute": False}}, IMAGE),
    "an affine coupling": (coupling("half", "tanh"), (4,)),
    "the other half": (coupling("half", "sigmoid", swap=True), (4,)),
    "an unbounded scale": (coupling("half", "exp"), (4,)),
    "channels": (coupling("channel", "tanh"), IMAGE),
    "the other channels": (coupling("channel", "tanh", swap=True), IMAGE),
}


@pytest.mark.parametrize("name", STEPS)
def test_one_step(name):
    step, shape = STEPS[name]
    plain, wider = plain_and_wider(step, shape)
    embed(wider.steps[2], plain.steps[0])
    assert_every_draw_is_exact(wider, plain, shape)


@pytest.mark.parametrize(
    ("split", "matrix", "shape"), [("half", LU, (4,)), ("channel", DENSE, IMAGE)], ids=["vectors", "images"]
)
def test_a_flow_of_many_steps(split, matrix, shape):
    step = ["actnorm", matrix, coupling(split, "tanh"), coupling(split, "tanh", swap=True)]
    plain = randomize(flow(2 * step, shape), 1)
    wider = flow([{"vflow": {"dims": 2}}, ORDER, *step, *step], shape)
    for ours, theirs in zip(wider.steps[2:], plain.steps, strict=True):
        embed(ours, theirs)
    assert_every_draw_is_exact(wider, plain, shape)


def test_a_flow_that_uses_z_is_not_exact():
    """What the tests above rest on: with one weight from z to x, draws of z differ."""
    plain, wider = plain_and_wider(coupling("half", "tanh"), (4,))
    embed(wider.steps[2], plain.steps[0])
    with torch.no_grad():
        wider.steps[2].network.hidden[0].weight[:, 2] += 0.5
    draws = wider.elbo(torch.zeros(200, 4, dtype=torch.float64))
    assert draws.std() > 1e-3
