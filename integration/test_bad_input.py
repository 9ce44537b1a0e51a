"""Every kind of bad input ends in one line per problem that says where and what to do, status 2, and nothing half-written."""

import json
import os
import pickle
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import diffeo
from diffeo import cli
from diffeo_bijectors import Coupling
from diffeo_registry import discovery

SPEC = """\
diffeo: 1
data: {csv: {path: mine.csv}}
model:
  flow:
    steps:
      - actnorm
      - coupling: {network: {mlp: {hidden: [8]}}}
trainer: {steps: 2, batch_size: 8}
evaluators: [likelihood]
"""


def write_data(folder):
    np.savetxt(folder / "mine.csv", np.random.default_rng(0).normal(size=(40, 2)), delimiter=",")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    Path("spec.yaml").write_text(SPEC)
    return tmp_path


def listing(folder):
    """What is there and when it was changed, but for the lock, which says who looked last."""
    paths = [path for path in folder.rglob("*") if path.name != ".lock"]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in paths}


@pytest.fixture
def refused(here, capsys):
    """Runs a command line that has to be refused; returns its lines on standard error."""

    def of(*arguments):
        before = listing(here)
        capsys.readouterr()
        assert cli.run([str(argument) for argument in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        assert listing(here) == before
        return captured.err.splitlines()

    return of


# The text of a spec

TEXTS = {
    "unknown key": ("trainer: {stpes: 3}", ["spec.yaml:8:11: trainer.stpes: unknown key; did you mean 'steps'?"]),
    "unknown key at the top": ("trainr: {}", ["spec.yaml:8:1: trainr: unknown key; did you mean 'trainer'?"]),
    "wrong type": (
        "trainer: {steps: many, batch_size: 1.5, compile: 'yes'}",
        [
            "spec.yaml:8:18: trainer.steps: expected an integer; got 'many'",
            "spec.yaml:8:36: trainer.batch_size: expected an integer; got 1.5",
            "spec.yaml:8:50: trainer.compile: expected true or false; got 'yes'",
        ],
    ),
    "out of bounds": (
        "trainer: {steps: 0, ema: 1.0, optimizer: {adam: {betas: [0.9, 1.0]}}}",
        [
            "spec.yaml:8:18: trainer.steps: expected a value >= 1; got 0",
            "spec.yaml:8:26: trainer.ema: expected a value > 0 and < 1; got 1.0",
            "spec.yaml:8:57: trainer.optimizer.adam.betas: expected a value >= 0 and < 1; got 1.0",
        ],
    ),
    "two fields that contradict each other": (
        "trainer: {batch_size: 10, accumulate: 3}",
        ["spec.yaml:8:10: trainer: expected accumulate to divide batch_size 10; got 3"],
    ),
    "unknown name": (
        "trainer: {optimizer: adm, schedule: adam}",
        [
            "spec.yaml:8:22: trainer.optimizer: no optimizer named 'adm'; did you mean 'adam'?",
            "spec.yaml:8:37: trainer.schedule: 'adam' is an optimizer; expected a schedule",
        ],
    ),
    "duplicate key": ("seed: 1\nseed: 2", ["spec.yaml:9:1: seed: duplicate key; the first is in line 8"]),
    "YAML syntax": ("trainer: {steps: [1", ["spec.yaml:9:1: not YAML: expected ',' or ']', but got '<stream end>'"]),
    "a tab": ("trainer:\n\tsteps: 1", ["spec.yaml:9:1: not YAML: found character '\\t' that cannot start any token"]),
    "recursive alias": (
        "evaluators: &all [likelihood, *all]",
        ["spec.yaml:8:31: evaluators[1]: alias *all stands inside what it refers to"],
    ),
    "alias of nothing": (
        "trainer: *here",
        ["spec.yaml:8:10: trainer: alias *here has no anchor &here before it"],
    ),
    "a tag": (
        "seed: !!python/object:os.system 1",
        ["spec.yaml:8:7: seed: expected plain YAML; got tag 'tag:yaml.org,2002:python/object:os.system'"],
    ),
    "two documents": ("---\nseed: 1", ["spec.yaml:8:1: expected one document; got a second one"]),
    "another format": ("", ["spec.yaml:1:9: diffeo: expected 1; got 2"]),
}


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize("case", TEXTS)
def test_a_mistake_in_the_text(case, command, refused):
    addition, expected = TEXTS[case]
    head = "".join(SPEC.splitlines(keepends=True)[:7])
    if case == "another format":
        head = head.replace("diffeo: 1", "diffeo: 2")
    Path("spec.yaml").write_text(f"{head}{addition}\n")
    lines = refused(command, "spec.yaml")
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list", "3", "\x00", "diffeo: 1\n"])
def test_a_file_that_is_no_spec(text, refused):
    Path("spec.yaml").write_text(text)
    lines = refused("train", "spec.yaml")
    assert lines
    assert all(line.startswith("spec.yaml:1:1: ") for line in lines), lines


def test_a_file_that_is_no_text(refused):
    Path("spec.yaml").write_bytes(b"\xff\xfe\x00\x81")
    assert refused("train", "spec.yaml") == ["spec.yaml: expected text in UTF-8; got byte 0xff"]


def test_every_problem_at_once(refused):
    Path("spec.yaml").write_text(SPEC.replace("actnorm", "actnrm").replace("steps: 2", "steps: 0") + "sed: 1\n")
    assert [re.match(r"spec.yaml:\d+:\d+: (\S+): ", line)[1] for line in refused("train", "spec.yaml")] == [
        "model.flow.steps[0]",
        "trainer.steps",
        "sed",
    ]


# Packages


def test_a_component_that_is_not_installed(monkeypatch, rediscover, refused):
    """The metadata of diffeo-bijectors is gone, as it is where nobody installed it."""
    found = discovery.distributions
    monkeypatch.setattr(
        discovery, "distributions", lambda **where: [one for one in found(**where) if one.name != "diffeo-bijectors"]
    )
    rediscover()
    assert refused("train", "spec.yaml") == [
        f"spec.yaml:{place}: {path}: {name!r} comes with diffeo-bijectors, which is not installed: "
        "pip install diffeo-bijectors"
        for place, path, name in [
            ("6:9", "model.flow.steps[0]", "actnorm"),
            ("7:9", "model.flow.steps[1]", "coupling"),
        ]
    ]
    (line,) = refused("show", "coupling")
    assert line.endswith("which is not installed: pip install diffeo-bijectors")


TWO_VERSIONS = """
    import attrs
    import torch
    from diffeo_registry import Component, field, hookimpl

    @attrs.frozen(kw_only=True)
    class Grow:
        by: float = field(2.0, help="Factor.", gt=0)

    @attrs.frozen(kw_only=True)
    class GrowV2:
        log_by: float = field(0.5, help="Log of the factor.")

    def __getattr__(name):
        from diffeo import Bijector
        class GrowBijector(Bijector):
            def __init__(self, config, shape, context_shape=None):
                super().__init__(shape, None, context_shape)
                log = config.log_by if name == "New" else torch.tensor(config.by).log().item()
                self.log = torch.nn.Parameter(torch.tensor(log))
            def forward(self, x, *, context=None):
                return x * self.log.exp(), self.log * x.shape[-1] * torch.ones(x.shape[:-1], dtype=x.dtype)
            def inverse(self, y, *, context=None):
                return y / self.log.exp(), -self.log * y.shape[-1] * torch.ones(y.shape[:-1], dtype=y.dtype)
        if name not in ("Old", "New"):
            raise AttributeError(name)
        return GrowBijector

    def record(version, config, implementation):
        return Component(kind="bijector", name="grow", version=version, config=f"MODULE:{config}",
                         implementation=f"MODULE:{implementation}", summary="Scales.")

    @hookimpl
    def diffeo_components():
        return [record(1, "Grow", "Old"), record(2, "GrowV2", "New")]
"""


def with_steps(*steps):
    Path("spec.yaml").write_text(SPEC.replace("- actnorm", f"- {steps[0]}"))


def test_two_versions_of_a_component(install, here, refused, capsys):
    install("acme-grow", TWO_VERSIONS)
    with_steps("grow: {by: 3.0}")
    assert refused("train", "spec.yaml") == ["spec.yaml:6:16: model.flow.steps[0].grow.by: unknown key"]
    with_steps("grow@3")
    assert refused("train", "spec.yaml") == [
        "spec.yaml:6:9: model.flow.steps[0]: 'grow' has no version 3; there are 1 and 2"
    ]
    for name, step in {"new": "grow: {log_by: 1.0}", "old": "grow@1: {by: 3.0}", "full": "acme-grow/grow@1"}.items():
        with_steps(step)
        assert cli.run(["train", "spec.yaml", "--out", name]) == 0
        pinned = "acme-grow/grow@2" if name == "new" else "acme-grow/grow@1"
        assert pinned in Path(name, "spec.yaml").read_text()
        assert cli.run(["sample", name, "-n", "3", "-o", f"{name}.csv"]) == 0
    capsys.readouterr()
    assert cli.run(["list", "bijectors"]) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines() if line.startswith("grow")] == [
        ["grow", "1", "acme-grow"],
        ["grow", "2", "acme-grow"],
    ]


def test_two_packages_with_one_name(install, rediscover, here, refused):
    for package in ("acme-grow", "bravo-grow"):
        install(package, TWO_VERSIONS)
    with_steps("grow")
    assert refused("train", "spec.yaml") == [
        "spec.yaml:6:9: model.flow.steps[0]: 'grow' is registered by acme-grow and bravo-grow; write acme-grow/grow or "
        "bravo-grow/grow, or disable one: DIFFEO_DISABLE=bravo-grow"
    ]
    assert refused("show", "grow")
    assert cli.run(["check", "spec.yaml", "--set", "model.flow.steps.0=bravo-grow/grow"]) == 0
    rediscover("bravo-grow")
    assert cli.run(["check", "spec.yaml"]) == 0
    with_steps("bravo-grow/grow")
    (line,) = refused("check", "spec.yaml")
    assert line.endswith("'bravo-grow/grow' is to come from bravo-grow, which DIFFEO_DISABLE leaves out")


def test_a_plugin_that_raises_at_import(install, here, refused, capsys):
    install("acme-flows", "raise RuntimeError('no licence')")
    assert cli.run(["check", "spec.yaml"]) == 0  # nobody needs it
    assert cli.run(["list", "--plugins"]) == 0
    assert re.search(r"acme-flows .* RuntimeError: no licence", capsys.readouterr().out)
    with_steps("acme-flows/planar")
    (line,) = refused("train", "spec.yaml")
    assert line == (
        "spec.yaml:6:9: model.flow.steps[0]: 'acme-flows/planar' is to come from acme-flows, but plugin 'main' of "
        "acme-flows could not be loaded: RuntimeError: no licence; see diffeo list --plugins"
    )


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("config='nowhere.config:Planar', implementation='MODULE:Planar'", "No module named 'nowhere'"),
        ("config='MODULE:Planer', implementation='MODULE:Planar'", "has no attribute 'Planer'"),
        ("config='MODULE:Planar', implementation='nowhere.planar:Planar'", "No module named 'nowhere'"),
    ],
)
def test_a_record_that_names_what_is_not_there(record, message, install, here, refused):
    install(
        "acme-flows",
        f"""
        import attrs
        from diffeo_registry import Component, hookimpl

        @attrs.frozen(kw_only=True)
        class Planar:
            pass

        @hookimpl
        def diffeo_components():
            return [Component(kind="bijector", name="planar", {record}, summary="")]
        """,
    )
    with_steps("planar")
    (line,) = refused("train", "spec.yaml")
    assert line.startswith("spec.yaml:6:9: model.flow.steps[0]")
    assert message in line
    assert "acme-flows" in line


# Shapes

SHAPES = {
    "steps: [squeeze]": ("5:13: model.flow.steps[0].squeeze", "expected an image of shape (C, H, W); got (2,)"),
    "steps: [reverse, {permutation: {indices: [0, 1, 2]}}]": ("5:23: model.flow.steps[1].permutation", "(2,)"),
    "steps: [{multiscale: {levels: 3, steps: [reverse]}}]": (
        "5:14: model.flow.steps[0].multiscale",
        "to factor half of them out; got shape (1,) (level 2 of 3)",
    ),
    "steps: [{coupling: {split: checkerboard}}]": ("5:32: model.flow.steps[0].coupling.split.checkerboard", "got (2,)"),
    "steps: [{coupling: {network: conv_resnet}}]": (
        "5:34: model.flow.steps[0].coupling.network.conv_resnet",
        "got (1,)",
    ),
    "steps: [{invert: {steps: [{factor_out: {}}, {reshape: {shape: [2, 1]}}]}}]": (
        "5:14: model.flow.steps[0].invert",
        "expected steps that keep the shape inside invert; got (2,) to (2, 1)",
    ),
    "{steps: [{reshape: {shape: [2, 1]}}], start: base}": ("5:14", "keep the shape"),
}


def test_the_iteration_in_which_a_shape_does_not_fit(refused):
    text = SPEC.replace("actnorm", "repeat: {times: 2, steps: [{factor_out: {}}, squeeze]}")
    Path("spec.yaml").write_text(text)
    (line,) = refused("check", "spec.yaml")
    assert line.startswith("spec.yaml:6:54: model.flow.steps[0].repeat.steps[1].squeeze: expected an image")
    assert line.endswith("got (2,) (iteration 1 of 2)")


# Data


def with_data(text):
    Path("spec.yaml").write_text(SPEC.replace("csv: {path: mine.csv}", text))


DATA = {
    "csv: {path: nowhere.csv}": "data.csv: {here}/nowhere.csv: expected a file; got nothing there",
    "npy: {path: nowhere.npy}": "data.npy: {here}/nowhere.npy: expected a file; got nothing there",
    "image_folder: {path: nowhere, size: 8}": "data.image_folder: {here}/nowhere: expected a folder of images; got nothing",
    "image_folder: {path: empty, size: 8}": "data.image_folder: {here}/empty: expected ",
    "fashion_mnist: {folder: nowhere}": "data.fashion_mnist: expected the Fashion-MNIST files ",
    "csv: {path: nan.csv}": "data.csv: {here}/nan.csv:14: column '2': expected a finite float32 number; got nan",
    "csv: {path: words.csv}": "data.csv: {here}/words.csv:3: column 'b': expected a number; got 'x'",
    "csv: {path: ragged.csv}": "data.csv: {here}/ragged.csv:3: expected ",
    "csv: {path: mine.csv, columns: ['1', '7']}": "data.csv: {here}/mine.csv: expected a column '7'; got only '1', '2'",
    "csv: {path: mine.csv, val: 0.6, test: 0.6}": "data.csv: expected val + test below 1",
    "npy: {path: nan.npy}": "data.npy: {here}/nan.npy[13, 1]: expected a finite float32 number; got nan",
    "npy: {path: words.csv}": "data.npy: {here}/words.csv: expected ",
    "npy: {path: objects.npy}": "data.npy: {here}/objects.npy: expected ",
}


@pytest.mark.parametrize("data", DATA)
def test_data_that_cannot_be_used(data, here, refused):
    x = np.random.default_rng(0).normal(size=(20, 2))
    x[13, 1] = np.nan
    np.save("nan.npy", x)
    np.save("objects.npy", np.array([{}, 3], dtype=object))
    np.savetxt("nan.csv", x, delimiter=",")
    Path("words.csv").write_text("a,b\n1,2\n3,x\n")
    Path("ragged.csv").write_text("1,2\n3,4\n5,6,7\n")
    Path("empty").mkdir()
    with_data(data)
    (line,) = refused("train", "spec.yaml")
    assert re.sub(r"^spec.yaml:2:\d+: ", "", line).startswith(DATA[data].format(here=here))


def test_missing_data_are_a_warning_to_check(here, capsys):
    with_data("image_folder: {path: nowhere, size: 8}")
    steps = "[reshape, {coupling: {network: {mlp: {hidden: [8]}}}}]"
    text = Path("spec.yaml").read_text().partition("    steps:")[0]
    Path("spec.yaml").write_text(f"{text}    steps: {steps}\n    dequantization: uniform\n")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert cli.run(["check", "spec.yaml"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {here}/nowhere: expected a folder of images; got nothing there")


def test_check_shows_no_structure_where_the_data_would_say_the_shape(here, capsys):
    with_data("csv: {path: nowhere.csv}")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert cli.run(["check", "spec.yaml"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.rstrip().endswith("(the shapes of the data are in it, so the model is not checked)")


# What is asked of these data and this machine: told before the first step


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "evaluators=[density_2d, sample_grid]",
            "evaluators[1].sample_grid: expected images of shape (1 or 3, H, W) for 'sample_grid'; got (2,)",
        ),
        ("data.csv.test=0.0", "evaluators[0].likelihood: expected a data set with a split 'test'; got none"),
        ("data.csv.context=['2']", "evaluators[1].density_2d: expected points on the plane, shape (2,)"),
    ],
)
def test_an_evaluator_that_does_not_fit(command, override, message, refused):
    Path("spec.yaml").write_text(
        SPEC.replace("[likelihood]", "[likelihood, density_2d]").replace("coupling: {", "autoregressive: {}  # {")
    )
    (line,) = refused(command, "spec.yaml", "--set", override)
    assert message in line


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.device=gpu", "trainer.device: expected a device of this machine; got 'gpu': "),
        ("trainer.device=meta", "trainer.device: expected a device of this machine; got 'meta': "),
        ("trainer.device=cuda:99", "trainer.device: expected a device of this machine; got 'cuda:99': "),
        (
            "start_from=nowhere",
            "start_from: {here}/nowhere: expected a run folder, a checkpoint or a model.safetensors",
        ),
        ("start_from=mine.csv", "start_from: {here}/mine.csv: expected a safetensors file; got "),
    ],
)
def test_training_that_cannot_begin(override, message, here, refused):
    (line,) = refused("train", "spec.yaml", "--set", override)
    assert message.format(here=here) in line


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="needs a machine without MPS")
def test_a_device_that_is_not_there_takes_no_page(refused):
    """torch lists every backend it knows, after a sentence that says it all."""
    (line,) = refused("train", "spec.yaml", "--set", "trainer.device=mps")
    assert len(line) < 300


@pytest.mark.parametrize("command", ["check", "train"])
def test_numbers_that_a_dequantization_would_hide(command, refused):
    (line,) = refused(command, "spec.yaml", "--set", "model.flow.dequantization=uniform")
    assert ": model.flow.dequantization: expected whole numbers as data of a flow with a dequantization; got " in line


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("[logit, actnorm]", "expected data in (0, 1), where this step is defined; got "),
        ("[softplus, actnorm]", "expected data above 0, where this step is defined; got -"),
        ("[{softplus: {entries: [1]}}, actnorm]", "expected data above 0, where this step is defined; got -"),
    ],
)
def test_data_outside_of_where_the_first_step_is_defined(command, steps, words, refused):
    (line,) = refused(command, "spec.yaml", "--set", f"model.flow.steps={steps}")
    assert f": model.flow.steps[0]: {words}" in line
    assert line.endswith(": scale them by a step before it")


@pytest.mark.parametrize(
    "steps",
    [
        "[{softplus: {entries: [0]}}, actnorm]",
        "[{scale_shift: {scale: 0.1, shift: 0.5, trainable: false}}, logit, actnorm]",
        "[{logit: {alpha: 0.0}}, actnorm]",
    ],
)
def test_data_at_the_edge_of_where_the_first_step_is_defined(steps, here, capsys):
    x = np.random.default_rng(0).uniform(size=(40, 2))
    x[:, 1] *= -1 if "entries" in steps else 1
    x[::4, 0] = 0
    np.savetxt("mine.csv", x, delimiter=",")
    assert cli.run(["check", "spec.yaml", "--set", f"model.flow.steps={steps}"]) == 0


@pytest.mark.parametrize("objective", ["maximum_likelihood", "nested_dropout"])
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_target_for_an_objective_that_takes_examples(command, objective, refused):
    changes = ["data=funnel", "model.flow.steps=[coupling]", "evaluators=[]", f"objective={objective}"]
    (line,) = refused(command, "spec.yaml", *(word for change in changes for word in ("--set", change)))
    assert line == (
        f"--set objective={objective}: objective.{objective}: expected data with examples x; got a target (an objective such as "
        "reverse_kl fits one)"
    )


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_model_without_parameters(command, refused):
    (line,) = refused(command, "spec.yaml", "--set", "model.flow.steps=[reverse]")
    assert line == "spec.yaml:4:3: model: expected a model with trainable parameters; got none"


# Checkpoints


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    write_data(folder)
    (folder / "spec.yaml").write_text(SPEC.replace("mine.csv", str(folder / "mine.csv")))
    assert cli.run(["train", str(folder / "spec.yaml"), "--out", str(folder / "run"), "--until", "1"]) == 0
    return folder / "run"


@pytest.fixture
def run(trained, here):
    shutil.copytree(trained, "run")
    return Path("run")


def weights(run):
    (file,) = run.glob("checkpoints/*/model.safetensors")
    return file


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_a_bit(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("harm", [truncate, flip_a_bit, Path.unlink])
@pytest.mark.parametrize("command", ["sample", "evaluate", "resume"])
def test_a_damaged_checkpoint(command, harm, run, refused):
    file = weights(run)
    harm(file)
    words = {
        "sample": ["sample", run, "-o", "a.csv"],
        "evaluate": ["evaluate", run],
        "resume": ["train", "--resume", run],
    }
    *lines, line = refused(*words[command])
    assert line.startswith(str(file.parent))
    assert "expected" in line
    assert len(lines) == (command == "resume")  # which says first that nothing was moved and nothing starts afresh


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_file_that_was_cut_off(left, run, refused):
    weights(run).write_bytes(weights(run).read_bytes()[:left])
    (line,) = refused("sample", weights(run), "-o", "a.csv")
    assert re.match(rf"{weights(run)}: expected a (whole )?safetensors file; got ", line)


def write_pickle(file):
    torch.save({"weight": torch.zeros(3)}, file)


def write_foreign(file):
    save_file({"weight": torch.zeros(3)}, file)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_pickle, "expected a safetensors file; got "),
        (lambda file: file.write_bytes(pickle.dumps({})), "expected a safetensors file; got "),
        (lambda file: file.write_bytes(b""), "expected a safetensors file; got 0 bytes"),
        (
            lambda file: file.write_bytes(b"\x08" + bytes(7) + b"not JSON"),
            "expected a whole safetensors file; got a damaged",
        ),
        (write_foreign, "expected a model saved by diffeo; got a safetensors file without its metadata"),
    ],
)
def test_a_file_that_is_no_checkpoint(write, message, here, refused):
    write(here / "model.safetensors")
    (line,) = refused("sample", "model.safetensors", "-o", "a.csv")
    assert line.startswith(f"model.safetensors: {message}")


def test_a_checkpoint_of_another_spec(run, refused):
    spec = run / "spec.yaml"
    spec.write_text(spec.read_text().replace("- 8", "- 9"))
    assert "9" in spec.read_text()
    lines = refused("train", "--resume", run)
    assert len(lines) == 3  # weight and bias of the hidden layer, weight of the layer after it
    for line in lines:
        assert re.search(
            r"expected '\S+' with shape \(.*9.*\) and torch.float32; got \(.*8.*\) and torch.float32$", line
        )


def test_data_that_changed_since_a_run_was_trained(run, here, refused):
    spec = run / "spec.yaml"
    spec.write_text(re.sub(r"path: .*mine.csv", "path: other.csv", spec.read_text()))
    np.savetxt("other.csv", np.random.default_rng(0).normal(size=(40, 3)), delimiter=",")
    (line,) = refused("evaluate", run)
    assert re.match(
        r"run/spec.yaml:\d+:\d+: data.csv: expected x of shape \(2,\), as this run was trained on; got \(3,\)", line
    )


def test_start_from_another_model(run, refused):
    text = Path("spec.yaml").read_text().replace("hidden: [8]", "hidden: [4, 4]")
    Path("spec.yaml").write_text(f"{text}start_from: run\n")
    (line,) = refused("train", "spec.yaml")
    assert re.match(r"spec.yaml:10:13: start_from: .*run: .* \(and \d+ more: is it a run of the same model\?\)$", line)


def test_a_checkpoint_whose_components_are_gone(run, refused, rediscover):
    rediscover("diffeo-bijectors")
    lines = refused("sample", weights(run), "-o", "a.csv")
    assert len(lines) == 2
    assert all("DIFFEO_DISABLE leaves out" in line for line in lines)


def test_weights_are_compared_before_one_is_changed(run, here, refused):
    with weights(run).open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
    tensors = load_file(weights(run))
    first = next(iter(tensors))
    tensors[first] = tensors[first].double()
    save_file(tensors, "model.safetensors", json.loads(header)["__metadata__"])
    (line,) = refused("sample", "model.safetensors", "-o", "a.csv")
    assert line.startswith(f"model.safetensors: expected {first!r} with shape ")
    assert "torch.float32; got" in line


# Folders


def test_a_run_folder_that_exists(run, refused):
    (line,) = refused("train", "spec.yaml", "--out", "run")
    assert line.endswith("choose another --out, or continue that run with: diffeo train --resume run")


@pytest.mark.parametrize("out", ["mine.csv", "mine.csv/run", "/proc/run", "/dev/null/run"])
def test_an_output_folder_that_cannot_be_made(out, refused):
    (line,) = refused("train", "spec.yaml", "--out", out)
    assert line.startswith(f"{out}: expected a ")


def test_a_default_folder_that_cannot_be_made(refused):
    Path("runs").write_text("in the way")
    (line,) = refused("train", "spec.yaml")
    assert line.startswith("runs/spec-1: expected a place where a run folder can be written; got ")


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user who is refused by a read-only folder; root is not")
def test_an_output_folder_that_is_read_only(here, refused):
    Path("locked").mkdir(mode=0o555)
    (line,) = refused("train", "spec.yaml", "--out", "locked/run")
    assert line.startswith("locked/run: expected a place where a run folder can be written; got ")


@pytest.mark.parametrize("out", ["nowhere/a.csv", "mine.csv/a.csv", "folder.csv", "/proc/a.csv"])
def test_a_sample_that_cannot_be_written(out, run, refused):
    Path("folder.csv").mkdir()
    (line,) = refused("sample", run, "-o", out)
    assert line.startswith(f"{out}: expected a file ")


@pytest.mark.parametrize("name", ["nowhere", "mine.csv", "."])
@pytest.mark.parametrize("command", ["evaluate", "resume", "sample"])
def test_a_run_that_is_none(command, name, here, refused):
    Path("spec.yaml").rename("mine.yaml")
    words = {
        "sample": ["sample", name, "-o", "a.csv"],
        "evaluate": ["evaluate", name],
        "resume": ["train", "--resume", name],
    }
    (line,) = refused(*words[command])
    assert line.startswith(f"{name}: expected a ")


# From Python

CALLS = {
    "a name without a kind": (
        lambda: diffeo.build("coupling", shape=(8,)),
        "expected a config object, or a kind and a spec: build('bijector', ...); got 'coupling'",
    ),
    "a shape that is none": (
        lambda: diffeo.build("bijector", "coupling", shape=8),
        "expected shape as a tuple of positive integers, such as (2,); got 8",
    ),
    "no shape": (
        lambda: diffeo.build("bijector", "coupling"),
        "coupling is built with shape, context_shape; got nothing",
    ),
    "a class for an object": (
        lambda: diffeo.build(Coupling, shape=(8,)),
        "expected a config object; got the class Coupling (write Coupling(...))",
    ),
    "a number of draws": (
        lambda: diffeo.build("distribution", "standard_normal", shape=(2,)).sample(5),
        "expected sample_shape as a tuple, such as (5,); got 5",
    ),
    "a number of draws of a flow": (
        lambda: diffeo.build("model", "flow", shape=(2,)).sample_and_log_prob(5),
        "expected sample_shape as a tuple, such as (5,); got 5",
    ),
    "the name of a spec": (
        lambda: diffeo.train("spec.yaml"),
        "expected a spec, as load_spec makes one of a file or of the name of a recipe; got 'spec.yaml'",
    ),
    "the name of a spec, for many seeds": (
        lambda: diffeo.train_seeds("spec.yaml", [0]),
        "expected a spec, as load_spec makes one of a file or of the name of a recipe; got 'spec.yaml'",
    ),
    "one override of a run": (
        lambda: diffeo.evaluate("run", overrides="evaluators=[]"),
        "expected overrides as a list, such as ['trainer.steps=100']; got 'evaluators=[]'",
    ),
    "one override": (
        lambda: diffeo.load_spec("spec.yaml", overrides="seed=1"),
        "expected overrides as a list, such as ['trainer.steps=100']; got 'seed=1'",
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_call_that_is_wrong(case):
    call, message = CALLS[case]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_nothing_at_all_is_a_call_for_help(capsys):
    assert cli.run([]) == 0
    assert capsys.readouterr().out.startswith("Usage: diffeo ")
