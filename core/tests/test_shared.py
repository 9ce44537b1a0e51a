"""One encoder in several places: its weights stand once in a model, in its files and in its training."""

import copy

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

import diffeo

FIRST = {"shared": {"name": "features", "encoder": {"lift": {"out": 2}}}}
AGAIN = {"shared": {"name": "features"}}


def two_places(first=FIRST, again=AGAIN):
    """A flow whose base is a flow: each looks at its context through an encoder of two features."""
    inner = {"flow": {"steps": ["stretch"], "context_network": again}}
    return {"flow": {"steps": ["stretch"], "context_network": first, "base": inner}}


def build(spec=None):
    torch.manual_seed(0)
    return diffeo.build("model", spec or two_places(), shape=(2,), context_shape=(2,)).double()


def batch():
    torch.manual_seed(1)
    return torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)


def apart():
    """The same flow with two encoders, whose weights are those of the shared one."""
    model = build(two_places({"lift": {"out": 2}}, {"lift": {"out": 2}}))
    for encoder in (model.context_network, model.base.context_network):
        encoder.load_state_dict(build().context_network.encoder.state_dict())
    return model


def gradients(model, encoder):
    x, context = batch()
    model.log_prob(x, context=context).sum().backward()
    return [parameter.grad for parameter in encoder.parameters()]


def test_it_computes_what_two_encoders_with_its_weights_do():
    x, context = batch()
    assert_close(build().log_prob(x, context=context), apart().log_prob(x, context=context), atol=1e-12, rtol=0)


def test_its_gradient_is_the_sum_over_its_places():
    model, other = build(), apart()
    gradients(other, other)
    both = zip(other.context_network.parameters(), other.base.context_network.parameters(), strict=True)
    assert_close(gradients(model, model.context_network), [one.grad + two.grad for one, two in both])


def test_its_weights_stand_once():
    model = build()
    names = [name for name in model.state_dict() if "linear" in name]
    assert names == ["context_network.encoder.linear.weight", "context_network.encoder.linear.bias"]
    assert [row.parameters for row in diffeo.describe_model(model) if row.name == "context_network: shared"] == [6, 0]


def test_a_copy_shares_its_own():
    model = build()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.context_network.encoder.linear.weight.add_(1.0)
    x, context = batch()
    assert not torch.equal(twin.base.log_prob(x, context=context), model.base.log_prob(x, context=context))
    assert_close(twin.context_network(context), twin.base.context_network(context), atol=0, rtol=0)


def test_it_compiles_and_is_called_with_other_weights():
    x, context = batch()
    model = build()
    compiled = torch.compile(model.log_prob, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x, context=context), model.log_prob(x, context=context))
    other = {name: value + 0.5 for name, value in model.named_parameters()}
    called = torch.func.functional_call(model.base.context_network, {}, (context,))
    assert_close(called, model.context_network(context))
    swapped = torch.func.functional_call(
        Whole(model), {f"model.{name}": value for name, value in other.items()}, batch()
    )
    model.load_state_dict(other)
    assert_close(swapped, model.log_prob(x, context=context))


class Whole(torch.nn.Module):
    """The density as a forward pass."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, context):
        return self.model.log_prob(x, context=context)


def test_another_model_has_another():
    assert build().context_network.encoder is not build().context_network.encoder


@pytest.mark.parametrize(
    ("first", "again", "words"),
    [
        (AGAIN, AGAIN, ["model.flow.context_network.shared.encoder", "'features'", "write it here"]),
        (FIRST, {"shared": {"name": "feature"}}, ["base.flow.context_network.shared.encoder", "did you mean 'features'?"]),
        (FIRST, {"shared": {"name": "features", "encoder": "lift"}}, ["out=2", "got Lift(out=", "another name"]),
        ({"shared": {"name": "features", "encoder": {"lift": {"out": 3}}}}, AGAIN, ["shape (2,)", "got (3,)"]),
    ],
    ids=["nothing yet", "a misspelt name", "another encoder", "another shape"],
)  # fmt: skip
def test_bad_input_is_one_line(bench, first, again, words):
    spec = bench.write("bad", model=two_places(first, again), data={"blob": {"conditional": True}})
    with pytest.raises(diffeo.DiffeoError) as raised:
        diffeo.check(diffeo.load_spec(str(spec)))
    message = str(raised.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_training_averages_resumes_and_loads(bench):
    """The moving average reaches both places, and a run in two parts is the run in one."""
    sections = {
        "model": two_places(),
        "data": {"blob": {"conditional": True}},
        "trainer": {"ema": 0.9, "save_every": 10},
    }
    bench.train("whole", **sections)
    bench.train("cut", **sections, until=10)
    bench.resume("cut")
    assert bench.weights("whole") == bench.weights("cut")
    model = diffeo.load(bench.path("whole"))
    saved = load_file(bench.checkpoint("whole") / "model.safetensors")
    assert_close(model.context_network.encoder.linear.weight, saved["context_network.encoder.linear.weight"])
    context = torch.randn(4, 2)
    assert_close(model.base.context_network(context), model.context_network(context), atol=0, rtol=0)


def test_seeds_train_together(bench):
    spec = bench.spec(model=two_places(), data={"blob": {"conditional": True}}, trainer={"steps": 8, "eval_every": 8})
    runs = diffeo.train_seeds(spec, (0, 1), bench.path("seeds"), show_progress=False)
    assert runs.is_finished
    alone = bench.train(
        "alone", model=two_places(), data={"blob": {"conditional": True}}, trainer={"steps": 8, "eval_every": 8}
    )
    together = diffeo.load(bench.path("seeds") / "seed-0").state_dict()
    for name, value in diffeo.load(alone.path).state_dict().items():
        assert_close(together[name], value, atol=1e-5, rtol=1e-5)
