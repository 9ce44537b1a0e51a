"""The way back with the statistics of the way there: an exact inverse while training, and nothing left behind."""

import copy

import pytest
import torch
from torch import nn

import diffeo

COUPLE = {"flow": {"steps": [{"couple": {"norm": True}}, {"couple": {"swap": True, "norm": True}}, "stretch"]}}


class SharedNorm(diffeo.BatchStatistics, nn.BatchNorm1d):
    """A small stand-in: keeps mean and biased variance of the batch, and normalises with what it kept."""

    def forward(self, input):
        if not self.training:
            return super().forward(input)
        if self.replaying:
            mean, variance = self.recorded
            return (input - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias
        if self.recording:
            self.recorded = (input.mean(0), input.var(0, correction=0))
        return super().forward(input)


def built(*, shared=True):
    torch.manual_seed(0)
    flow = diffeo.build("model", COUPLE, shape=(2,)).double()
    for step in flow.steps[:2]:
        step.network[1] = (SharedNorm if shared else nn.BatchNorm1d)(step.network[1].num_features).double()
    return flow.train()


@pytest.fixture
def flow():
    return built()


@pytest.fixture
def x():
    return torch.randn(16, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3


def norms(flow):
    return [step.network[1] for step in flow.steps[:2]]


def half_kept(z):
    """The first rows whole, of the others the first latent only."""
    kept = torch.ones_like(z)
    kept[len(z) // 2 :, 1:] = 0
    return z * kept


def frozen(flow, x):
    """What the rows are decoded to with the statistics of the way there."""
    with diffeo.recorded_statistics(flow):
        encoded = flow.encode_data(x)
        with diffeo.replayed_statistics(flow):
            return encoded, flow.decode(half_kept(encoded.z))


def of_each_batch(flow, x):
    encoded = flow.encode_data(x)
    return encoded, flow.decode(half_kept(encoded.z))


def test_whole_rows_come_back_among_others_that_lost_latents(flow, x):
    whole = slice(0, len(x) // 2)
    _, decoded = frozen(flow, x)
    torch.testing.assert_close(decoded[whole], x[whole], rtol=0.0, atol=1e-10)
    _, decoded = of_each_batch(flow, x)
    assert (decoded[whole] - x[whole]).abs().max() > 1e-2


def test_recording_changes_no_number(flow, x):
    twin = copy.deepcopy(flow)
    with diffeo.recorded_statistics(flow):
        recorded = flow.encode_data(x)
    for got, expected in zip(recorded, twin.encode_data(x), strict=True):
        assert torch.equal(got, expected)
    for name, buffer in flow.named_buffers():
        assert torch.equal(buffer, twin.get_buffer(name)), name


@pytest.mark.parametrize(("step", "times"), [(frozen, 1), (of_each_batch, 2)])
def test_running_statistics_see_a_step_once_or_twice(step, times, flow, x):
    step(flow, x)
    assert [int(norm.num_batches_tracked) for norm in norms(flow)] == [times, times]


def interrupted(flow, x):
    with diffeo.recorded_statistics(flow):
        flow.encode_data(x)
        with diffeo.replayed_statistics(flow):
            raise RuntimeError("on the way")


@pytest.mark.parametrize("shared", [True, False])
def test_nothing_remains_after_the_block(shared, x):
    flow = built(shared=shared)
    before = [(norm.training, getattr(norm, "recorded", ())) for norm in norms(flow)]
    with pytest.raises(RuntimeError, match="on the way"):
        interrupted(flow, x)
    assert [(norm.training, getattr(norm, "recorded", ())) for norm in norms(flow)] == before
    assert not any(getattr(norm, "recording", False) or getattr(norm, "replaying", False) for norm in norms(flow))
    later, fresh = flow.encode_data(x), built(shared=shared).encode_data(x)
    assert torch.equal(later.z, fresh.z)


def test_eval_mode_uses_running_statistics(flow, x):
    flow.elbo(x)
    flow.eval()
    encoded, decoded = frozen(flow, x)
    assert torch.equal(encoded.z, flow.encode(x)[0])
    assert torch.equal(decoded, flow.decode(half_kept(encoded.z)))
    assert [norm.recorded for norm in norms(flow)] == [(), ()]


def test_gradients_flow_through_the_recorded_statistics(flow, x):
    def decoded(x, *parameters):  # they are those of the flow, moved in place
        return frozen(flow, x)[1]

    assert torch.autograd.gradcheck(decoded, [x[:5].requires_grad_(), *flow.parameters()], fast_mode=True)


def test_plain_batch_normalisation_falls_back_to_running_statistics(x):
    flow = built(shared=False)
    for _ in range(3):
        flow.elbo(x)
    running = {name: buffer.clone() for name, buffer in flow.named_buffers()}
    z = torch.randn(16, 2, dtype=torch.float64)
    with diffeo.recorded_statistics(flow), diffeo.replayed_statistics(flow):
        decoded = flow.decode(z)
    assert torch.equal(decoded, copy.deepcopy(flow).eval().decode(z))
    assert all(norm.training for norm in norms(flow))
    assert all(torch.equal(buffer, running[name]) for name, buffer in flow.named_buffers())


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, when it imports its compiler
def test_it_may_be_compiled(flow, x):
    twin = copy.deepcopy(flow)
    compiled = torch.compile(lambda x: (frozen(flow, x)[1] - x).square().mean(), backend="aot_eager")
    losses = [compiled(x), (frozen(twin, x)[1] - x).square().mean()]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(*losses, rtol=0.0, atol=1e-12)
    for (name, parameter), other in zip(flow.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=0.0, atol=1e-10, msg=name)
    for name, buffer in flow.named_buffers():
        torch.testing.assert_close(buffer, twin.get_buffer(name), rtol=0.0, atol=1e-12, msg=name)
    assert [norm.recorded for norm in norms(flow)] == [(), ()]


def test_recomputed_steps_find_the_same_statistics(flow, x):
    twin = copy.deepcopy(flow)
    for step in twin.steps:
        step.recompute = True
    for model in (flow, twin):
        (frozen(model, x)[1] - x).square().mean().backward()
    for (name, parameter), other in zip(flow.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(parameter.grad, other.grad), name
    for name, buffer in flow.named_buffers():
        assert torch.equal(buffer, twin.get_buffer(name)), name
