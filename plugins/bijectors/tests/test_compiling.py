"""Compiled elementwise transforms: the same numbers, one compilation for all layers."""

import copy

import pytest
import torch

import diffeo
from diffeo.testing import randomize
from diffeo_bijectors import compile_elementwise

# dynamo looks at .grad of every input, which warns for tensors inside a graph
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@pytest.fixture
def flow():
    steps = [{"coupling": {"transform": "rq_spline", "network": {"mlp": {"hidden": [8]}}}}, "reverse"]
    built = diffeo.build("bijector", {"repeat": {"times": 3, "steps": steps}}, shape=(4,))
    yield randomize(built, 0).double()
    torch._dynamo.reset()


def test_same_values_and_gradients(flow):
    x = torch.randn(5, 4).double()
    compiled = compile_elementwise(copy.deepcopy(flow), backend="aot_eager")
    for name in ("forward", "inverse"):
        results = []
        for model in (flow, compiled):
            y, log_det = getattr(model, name)(x)
            gradients = torch.autograd.grad(y.sum() + log_det.sum(), list(model.parameters()))
            results.append([y, log_det, *gradients])
        torch.testing.assert_close(results[0], results[1], rtol=0.0, atol=1e-10)


def test_layers_share_one_compilation(flow):
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compile_elementwise(flow, backend="eager")(torch.randn(5, 4).double().requires_grad_())
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_a_compiled_model_is_copied_and_saved_like_any_other(flow):
    x = torch.randn(5, 4).double()
    names = list(flow.state_dict())
    compiled = compile_elementwise(flow, backend="eager")
    assert list(compiled.state_dict()) == names
    duplicate = copy.deepcopy(compiled)
    for parameter in compiled.parameters():
        parameter.data.zero_()
    assert not torch.equal(duplicate(x)[0], compiled(x)[0])
