"""Components compose: every step under every combinator trains, samples, and is the same flow once it was saved and loaded."""

import numpy as np
import pytest
import torch

import diffeo
from diffeo import cli
from diffeo_registry import DiffeoError, installed, to_yaml

COMBINATORS = {"chain", "factor_out", "invert", "multiscale", "repeat"}
REQUIRED = {
    "cross_unit": {"units": 2, "growth": 2, "steps": ["actnorm"], "distribution": "standard_normal"},
    "each_part": {"step": "actnorm"},
    "permutation": {"indices": [1, 0]},
}
"""Fields without a default, by component; indices fit what is left of two channels."""

NOWHERE = {("permutation", "multiscale")}
"""Indices fit one number of channels, and every level has another."""

STEPS = sorted({one.name for kind in ("bijector", "augmenter") for one in installed().of_kind(kind)} - COMBINATORS)
SHAPES = [(8,), (4, 4, 4), (2,), (2, 4, 4)]


def there_and_back(step):
    """A step that is undone, so that what needs positive data finds them again; one that changes the shape is left."""
    undone = [step, {"invert": {"steps": [step]}}]
    return undone if fitting(undone) else [step]


COMPOSED = {
    "alone": lambda step: [step],
    "chain": lambda step: [
        "actnorm",
        "reverse",
        {"chain": {"steps": there_and_back("actnorm")}},
        *there_and_back(step),
    ],
    "repeat": lambda step: [{"repeat": {"times": 2, "steps": there_and_back(step)}}],
    "factor_out": lambda step: [{"factor_out": {"keep": "first", "steps": [step]}}],
    "multiscale": lambda step: [{"multiscale": {"levels": 2, "steps": there_and_back(step)}}],
}


def spec_of(steps, shape, folder, **fields):
    """A spec over data in (0.1, 0.9), which every step takes."""
    x = np.random.default_rng(0).uniform(0.1, 0.9, (40, *shape))
    np.save(folder / "x.npy", x)
    trainer = {"steps": 1, "batch_size": 8, "eval_examples": 0, "precision": "float64", "optimizer": "sgd"}
    flow = {"steps": [*steps, {"reshape": {}}, "actnorm"]}  # some steps have no parameters
    data = {"npy": {"path": str(folder / "x.npy"), "dtype": "float64"}}
    spec = {"diffeo": 1, "data": data, "model": {"flow": flow}, "trainer": trainer, **fields}
    (folder / "spec.yaml").write_text(to_yaml(spec))
    return diffeo.load_spec(folder / "spec.yaml")


def run_through(spec, folder):
    """Train one step, sample, save, load; then every parameter has a finite gradient."""
    run = diffeo.train(spec, folder / "run", show_progress=False)
    x = torch.from_numpy(np.load(folder / "x.npy"))[:5]
    with torch.random.fork_rng():
        draws = run.model.sample((3,))
    assert draws.shape == (3, *run.model.event_shape)
    assert draws.isfinite().all()
    loaded = diffeo.load(run.path)
    assert torch.equal(bound(loaded, x), bound(run.model, x))
    run.model.zero_grad()
    (-bound(run.model, x).mean()).backward()
    for name, parameter in run.model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def bound(model, x):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model.elbo(x)


def fitting(steps):
    """The shapes that these steps take."""
    found = []
    for shape in SHAPES:
        try:
            diffeo.build("model", {"flow": {"steps": steps}}, shape=shape)
        except DiffeoError as error:
            if "expected " not in str(error):
                raise
        else:
            found.append(shape)
    return found


def compose(name, combinator):
    steps = COMPOSED[combinator]({name: REQUIRED[name]} if name in REQUIRED else name)
    return steps, fitting(steps)


QUICK = {(name, combinator) for name in STEPS for combinator in ("chain", "multiscale")}


@pytest.mark.parametrize(
    ("name", "combinator"),
    [
        pytest.param(name, combinator, marks=() if (name, combinator) in QUICK else pytest.mark.long)
        for name in STEPS
        for combinator in COMPOSED
    ],
)
def test_every_step_under_every_combinator(name, combinator, tmp_path):
    steps, shapes = compose(name, combinator)
    assert shapes or (name, combinator) in NOWHERE, f"{name} fits none of {SHAPES} under {combinator}"
    if shapes:
        run_through(spec_of(steps, shapes[0], tmp_path), tmp_path)


PARTS = {
    "vector": ((5,), ["half", "alternate", "channel"], ["mlp", "residual_mlp"]),
    "image": (
        (2, 4, 4),
        ["channel", "checkerboard"],
        ["mlp", "residual_mlp", {"conv_resnet": {"channels": 4, "blocks": 1}}],
    ),
}


def elementwise():
    scales = [one.name for one in installed().of_kind("scale")]
    others = [one.name for one in installed().of_kind("elementwise") if one.name != "affine"]
    return [*others, *({"affine": {"scale": scale}} for scale in scales)]


@pytest.mark.parametrize("case", PARTS)
def test_everything_that_fills_a_coupling(case, tmp_path):
    """All splits, networks and elementwise maps in one flow; the pairs of them are the matter of the bijectors' tests."""
    shape, splits, networks = PARTS[case]
    choices = [
        {
            "coupling": {
                "split": {split: {"swap": bool(index % 2)}} if isinstance(split, str) else split,
                "network": network,
                "transform": transform,
            }
        }
        for index, (split, network, transform) in enumerate(
            (splits[i % len(splits)], networks[i % len(networks)], transform)
            for i, transform in enumerate(elementwise() * 3)
        )
    ]
    run_through(spec_of(choices, shape, tmp_path), tmp_path)


def test_everything_that_fills_an_autoregressive_step(tmp_path):
    steps = [{"autoregressive": {"hidden": [8], "transform": transform}} for transform in elementwise()]
    run_through(spec_of(["actnorm", *steps], (4,), tmp_path), tmp_path)


# From somebody else

THEIRS = """
    import attrs
    from diffeo_registry import Component, Slot, field, hookimpl
    from typing import Annotated, Any

    @attrs.frozen(kw_only=True)
    class Shear:
        by: float = field(0.5, help="Where the slope begins.")

    @attrs.frozen(kw_only=True)
    class Twice:
        step: Annotated[Any, Slot("bijector")] = field("shear", help="What is done two times.")

    @attrs.frozen(kw_only=True)
    class Stretch:
        pass

    def _shear():
        import torch
        from diffeo import Bijector
        class ShearBijector(Bijector):
            def __init__(self, config, shape, context_shape=None):
                super().__init__(shape, None, context_shape)
                self.slope = torch.nn.Parameter(torch.tensor(config.by))
            def forward(self, x, *, context=None):
                return x * self.slope.exp(), self._log_det(x)
            def inverse(self, y, *, context=None):
                return y * (-self.slope).exp(), -self._log_det(y)
            def _log_det(self, x):
                rank = len(self.in_shape)
                return self.slope * x.new_ones(x.shape).sum(tuple(range(-rank, 0)))
        return ShearBijector

    def _twice():
        import torch
        import diffeo
        class TwiceBijector(diffeo.Bijector):
            def __init__(self, config, shape, context_shape=None):
                super().__init__(shape, None, context_shape)
                self.parts = torch.nn.ModuleList(
                    diffeo.make(config.step, shape, context_shape, at="step") for _ in range(2))
            def forward(self, x, *, context=None):
                x, first = self.parts[0](x, context=context)
                x, second = self.parts[1](x, context=context)
                return x, first + second
            def inverse(self, y, *, context=None):
                y, second = self.parts[1].inverse(y, context=context)
                y, first = self.parts[0].inverse(y, context=context)
                return y, first + second
        return TwiceBijector

    def _stretch():
        from diffeo_bijectors import Elementwise
        class StretchElementwise(Elementwise):
            def __init__(self, config):
                super().__init__(1)
            def forward(self, x, params):
                return x * params[0].exp(), params[0]
            def inverse(self, y, params):
                return y * (-params[0]).exp(), -params[0]
        return StretchElementwise

    def __getattr__(name):
        makers = {"ShearBijector": _shear, "TwiceBijector": _twice, "StretchElementwise": _stretch}
        if name not in makers:
            raise AttributeError(name)
        return makers[name]()

    def record(kind, name, config, implementation):
        return Component(kind=kind, name=name, config=f"MODULE:{config}", implementation=f"MODULE:{implementation}",
                         summary="Theirs.")

    @hookimpl
    def diffeo_components():
        return [record("bijector", "shear", "Shear", "ShearBijector"), record("bijector", "twice", "Twice", "TwiceBijector"),
                record("elementwise", "stretch", "Stretch", "StretchElementwise")]
"""


def test_steps_of_somebody_else_among_ours(install, tmp_path):
    """Theirs in our combinators and couplings, ours in their slot, theirs in theirs; by YAML, with nothing changed here."""
    install("acme-flows", THEIRS)
    steps = [
        "shear",
        {"repeat": {"times": 2, "steps": ["actnorm", {"shear": {"by": -0.5}}, {"coupling": {"transform": "stretch"}}]}},
        {"twice": {"step": {"coupling": {"transform": {"rq_spline": {"bins": 3}}}}}},
        {"twice": {"step": {"acme-flows/twice@1": {}}}},
        {"invert": {"steps": ["shear", {"autoregressive": {"transform": "stretch"}}]}},
        {"factor_out": {"steps": ["twice", "lu_linear"]}},
    ]
    run_through(spec_of(steps, (6,), tmp_path), tmp_path)
    assert "acme-flows/twice@1" in (tmp_path / "run" / "spec.yaml").read_text()


# With a context everywhere

CONDITIONAL = """\
diffeo: 1
data: {fashion_mnist_small: {pool: 4, pad: 2, context: label, num_train: 64, num_val: 10}}
model:
  flow:
    dequantization: uniform
    context_network: {mlp_encoder: {hidden: [8], out: 4}}
    steps:
      - scale_shift: {scale: 0.0078125, shift: -1.0, trainable: false}
      - squeeze
      - actnorm
      - coupling:
          split: channel
          transform: {rq_spline: {bins: 4}}
          network: {conv_resnet: {channels: 8, blocks: 1}}
      - coupling: {split: {checkerboard: {swap: true}}, network: {mlp: {hidden: [8]}}}
      - factor_out:
          steps:
            - reshape
            - autoregressive: {hidden: [8]}
      - coupling: {split: alternate, network: {residual_mlp: {hidden: 8, blocks: 1}}}
trainer: {steps: 2, batch_size: 16, eval_examples: 0, ema: 0.9, optimizer: {adam: {lr: 0.001}}, schedule: cosine}
evaluators: [{likelihood: {max_examples: 20}}, {sample_grid: {columns: 2}}]
"""


def conditional(folder, *overrides):
    (folder / "spec.yaml").write_text(CONDITIONAL)
    return diffeo.train(
        diffeo.load_spec(folder / "spec.yaml", overrides=overrides), folder / "run", show_progress=False
    )


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_a_context_reaches_every_step(precision, tmp_path):
    run = conditional(tmp_path, f"trainer.precision={precision}")
    flow = diffeo.load(run.path)
    dtype = torch.float64 if precision == "float64" else torch.float32
    assert {parameter.dtype for parameter in flow.parameters()} == {dtype}
    x, classes = torch.randint(256, (6, 1, 8, 8)), torch.eye(10, dtype=dtype)[:6]
    assert flow.elbo(x, context=classes).dtype == dtype
    draws = flow.sample((2,), context=classes)
    assert draws.shape == (2, 6, 1, 8, 8)
    assert torch.equal(draws, draws.round())
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    y = x.to(dtype) + 0.5
    for part in flow.steps:  # each step but the fixed ones and actnorm listens
        shape = part.in_shape
        z = torch.randn(1, *shape, dtype=dtype).expand(6, *shape)
        features = flow.context_network(classes)
        outputs = part(z, context=features)[0]
        listens = type(part).__name__ in ("CouplingBijector", "FactorOutBijector")
        assert (not torch.equal(outputs[0], outputs[1])) == listens, part
    assert len(flow.encode(y, context=classes)[1].unique()) > 1
    assert diffeo.evaluate(run.path) == run.metrics


def test_log_dets_stay_float32_where_networks_compute_in_bfloat16(tmp_path):
    from diffeo.training_step import set_precision

    run = conditional(tmp_path)
    flow = diffeo.load(run.path)
    set_precision(flow, "bfloat16")
    seen = []
    for network in (module for module in flow.modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)):
        network.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x, classes = torch.randint(256, (4, 1, 8, 8)), torch.eye(10)[:4]
    y, _ = flow.dequantize(x, context=classes)
    z, log_det = flow.encode(y, context=classes)
    assert torch.bfloat16 in seen
    assert (z.dtype, log_det.dtype, flow.elbo(x, context=classes).dtype) == (torch.float32,) * 3
    assert torch.allclose(flow.decode(z, context=classes), y, atol=1e-2)  # the networks see the same numbers both ways


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, when it imports its compiler
def test_a_compiled_run_has_the_names_of_one_that_is_not(tmp_path):
    def train(name, *overrides):
        spec = spec_of([{"coupling": {"network": {"mlp": {"hidden": [4]}}}}], (2,), tmp_path)
        spec = diffeo.load_spec(tmp_path / "spec.yaml", overrides=overrides)
        return diffeo.train(spec, tmp_path / name, show_progress=False)

    compiled, plain = train("compiled", "trainer.compile=true"), train("plain")
    ours, theirs = (diffeo.load(run.path).state_dict() for run in (compiled, plain))
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], atol=1e-10), name
    assert diffeo.resume(compiled.path, show_progress=False).outcome == "finished"


def test_rows_are_labelled_where_classes_have_numbers_only(tmp_path, monkeypatch):
    """A label of one character stands inside the picture, left of its row."""
    from diffeo.evaluators import sample_grid

    figures = []
    monkeypatch.setattr(sample_grid, "save", lambda figure, path, caption: figures.append(figure))
    monkeypatch.setattr("diffeo_data.fashion_mnist_small.FashionMnistSmallDataset.class_names", (), raising=False)
    conditional(tmp_path)
    (figure,) = figures
    labels = figure.axes[0].texts
    assert [label.get_text() for label in labels] == [str(number) for number in range(10)]
    for label in labels:
        box = label.get_window_extent()
        assert 0 < box.x0 < box.x1 < figure.axes[0].get_window_extent().x0


# Plugins with each other

TOGETHER = """\
diffeo: 1
data: pinwheel
model:
  flow:
    steps:
      - vflow: {dims: 2, distribution: {flow: {steps: [actnorm, {coupling: {network: {mlp: {hidden: [8]}}}}]}}}
      - repeat: {times: 2, steps: [{coupling: {transform: {mixture_logistic: {components: 2}}}}, reverse]}
      - qr_linear
    base: student_t
objective: {nested_dropout: {weight: 1.0, order: uniform, units: nats}}
trainer: {steps: 3, batch_size: 16, eval_examples: 20}
evaluators:
  - likelihood: {num_samples: 4, max_examples: 20}
  - reconstruction_curve: {max_examples: 20}
  - ordered_projection: {max_examples: 20}
"""


def test_ordered_latents_of_an_augmented_flow_on_a_heavy_tailed_base(tmp_path, monkeypatch):
    """A step of one plugin, a transform of a second, a base of a third and the objective of a fourth, by name alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(TOGETHER)
    assert cli.run(["train", "spec.yaml", "--out", "run"]) == 0
    assert cli.run(["encode", "run", "pinwheel", "-k", "2", "-n", "10", "-o", "codes.npz"]) == 0
    assert cli.run(["decode", "run", "codes.npz", "-o", "decoded.csv"]) == 0
    assert len((tmp_path / "decoded.csv").read_text().splitlines()) == 11
