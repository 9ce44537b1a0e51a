"""``memory: checkpoint`` computes steps twice and changes nothing: the same gradients, bit for bit, from less memory."""

import pytest
import torch

import diffeo
from diffeo.step_trace import flow_parts
from diffeo_registry import Slot, installed, structure

MODELS = {
    "exact": {"flow": {"steps": [{"couple": {}}, "stretch", {"couple": {"swap": True}}]}},
    "dropout": {"flow": {"steps": [{"couple": {"dropout": 0.5}}, {"couple": {"swap": True, "dropout": 0.5}}]}},
    "an augmenter": {"flow": {"steps": [{"couple": {}}, "append", "stretch"]}},
    "dequantization": {"flow": {"steps": [{"couple": {}}], "dequantization": "jitter"}},
    "batch normalisation": {"flow": {"steps": [{"couple": {"norm": True}}, {"couple": {"swap": True, "norm": True}}]}},
    "a context": {"flow": {"steps": ["stretch", "stretch"], "context_network": "lift"}},
    "nested": {"flow": {"steps": [{"repeat": {"times": 2, "steps": [{"couple": {"dropout": 0.5}}, "stretch"]}}]}},
    "from the base": {"flow": {"steps": [{"couple": {"dropout": 0.5}}, "stretch"], "start": "base"}},
}


def built(model, *, recompute):
    torch.manual_seed(0)
    context_shape = (2,) if "context_network" in model["flow"] else None
    flow = diffeo.build(structure(model, Slot("model"), registry=installed()), shape=(2,), context_shape=context_shape)
    for _, part in flow_parts(flow):
        part.recompute = recompute
    return flow.double().train()


def bits(model, *, recompute):
    """Gradients and buffers after two passes, and what a generator gives afterwards."""
    flow = built(model, recompute=recompute)
    x = torch.randn(16, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    context = None if flow.context_shape is None else x.flip(-1)
    torch.manual_seed(2)
    for _ in range(2):
        flow.elbo(x, context=context).mean().backward()
    tensors = {name: parameter.grad for name, parameter in flow.named_parameters()}
    return tensors | dict(flow.named_buffers()) | {"noise": torch.randn(3)}


@pytest.mark.parametrize("case", MODELS)
def test_gradients_and_statistics_are_the_same_bits(case):
    stored, computed = (bits(MODELS[case], recompute=recompute) for recompute in (False, True))
    assert stored.keys() == computed.keys()
    for name, tensor in stored.items():
        assert torch.equal(tensor, computed[name]), name


def bytes_stored(flow, x):
    """What autograd keeps of one pass, each piece of memory counted once; the weights are there anyway."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in flow.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = flow.elbo(x).mean()
    del loss
    return sum(size for pointer, size in kept.items() if pointer not in weights)


def test_a_chain_of_couplings_stores_less_than_half():
    model = {"flow": {"steps": [{"couple": {"hidden": 16, "swap": bool(index % 2)}} for index in range(8)]}}
    x = torch.randn(64, 2, dtype=torch.float64)
    stored, computed = (bytes_stored(built(model, recompute=recompute), x) for recompute in (False, True))
    assert computed < stored / 2, (computed, stored)


@pytest.mark.parametrize("case", ["dropout", "batch normalisation", "an augmenter"])
def test_training_leaves_the_same_bytes(case, bench):
    for memory in ("store", "checkpoint"):
        bench.train(memory, model=MODELS[case], trainer={"memory": memory, "accumulate": 2})
    assert bench.weights("store") == bench.weights("checkpoint")
    assert bench.metrics("store") == bench.metrics("checkpoint")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, when it imports its compiler
@pytest.mark.parametrize("case", ["exact", "dropout"])
def test_it_may_be_compiled(case):
    x = torch.randn(16, 2, dtype=torch.float64)
    gradients = []
    for recompute in (False, True):
        flow = built(MODELS[case], recompute=recompute)
        step = torch.compile(lambda x, flow=flow: flow.elbo(x).mean(), backend="aot_eager", fullgraph=True)
        torch.manual_seed(2)
        step(x).backward()
        gradients.append([parameter.grad for parameter in flow.parameters()])
    for stored, computed in zip(*gradients, strict=True):
        torch.testing.assert_close(stored, computed, rtol=0, atol=1e-12)
