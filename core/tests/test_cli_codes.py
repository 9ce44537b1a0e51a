import csv
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import diffeo
from diffeo import cli
from diffeo.png import description

reads_files = pytest.mark.skipif(
    importlib.util.find_spec("diffeo_data") is None, reason="needs diffeo-data, which reads the files"
)

PLUGIN = str(Path(__file__).parent / "plugin")

SPEC = """\
diffeo: 1
seed: 3
data: {DATA}
model: {flow: {MODEL}}
trainer: {steps: 2, batch_size: 8, optimizer: adam}
"""

CASES = {
    "plain": ("blob", "{steps: [stretch, sinh, {couple: {}}, {couple: {swap: true}}]}"),
    "conditional": ("{blob: {conditional: true}}", "{steps: [stretch], context_network: {lift: {out: 2}}}"),
    "integers": ("dice", "{steps: [stretch, {couple: {}}], dequantization: jitter}"),
    "augmented": ("blob", "{steps: [{append: {extra: 2}}, stretch]}"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind: of points, of points with a context, of integers, and with an augmenter."""
    folder = tmp_path_factory.mktemp("runs")
    for name, (data, model) in CASES.items():
        (folder / f"{name}.yaml").write_text(SPEC.replace("{DATA}", data).replace("{MODEL}", model))
        assert cli.run(["train", str(folder / f"{name}.yaml"), "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments, status=0):
    assert cli.run([str(argument) for argument in arguments]) == status
    return capsys.readouterr()


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def examples(name, count, split="test"):
    data = diffeo.build("dataset", {name: {}}, seed=3)
    return data.batch(split, torch.arange(count))["x"].numpy()


# There and back


def test_all_latents_give_back_points(runs, here, capsys):
    out = run(capsys, "encode", runs / "plain", "blob", "-o", "codes.npz").out
    wrote, error = out.splitlines()
    assert wrote == "wrote codes.npz: 64 codes of 2 of 2 latents"
    assert error.startswith("reconstruction error: ")
    assert run(capsys, "decode", runs / "plain", "codes.npz", "-o", "x.npz").out == (
        "wrote x.npz: 64 examples of shape (2,)\n"
    )
    assert np.allclose(arrays("x.npz")["x"], examples("blob", 64), rtol=0, atol=1e-5)


def test_all_latents_give_back_integers_whatever_their_noise_was(runs, here, capsys):
    run(capsys, "encode", runs / "integers", "dice", "-o", "codes.npz")
    run(capsys, "encode", runs / "integers", "dice", "--split", "train", "--seed", 3, "-o", "train.npz")
    run(capsys, "decode", runs / "integers", "train.npz", "-o", "x.npz")
    x = arrays("x.npz")["x"]
    assert x.dtype == np.int64
    assert np.array_equal(x, examples("dice", 100, "train"))
    assert np.array_equal(arrays("codes.npz")["codes"], arrays("train.npz")["codes"][:20])


def test_an_augmented_flow_gives_back_its_points(runs, here, capsys):
    out = run(capsys, "encode", runs / "augmented", "blob", "-n", 10, "-o", "codes.npz").out
    assert "10 codes of 4 of 4 latents" in out
    run(capsys, "decode", runs / "augmented", "codes.npz", "-o", "x.npz")
    assert np.allclose(arrays("x.npz")["x"], examples("blob", 10), rtol=0, atol=1e-5)


def test_contexts_go_along(runs, here, capsys):
    run(capsys, "encode", runs / "conditional", "{blob: {conditional: true}}", "-k", 1, "-o", "codes.npz")
    codes = arrays("codes.npz")
    assert codes["context"].shape == (64, 2)
    run(capsys, "decode", runs / "conditional", "codes.npz", "-o", "x.csv")
    with Path("x.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["x0", "x1", "context0", "context1"]
    x = np.array(rows, dtype=float)
    assert np.allclose(x[:, 0], examples("blob", 64)[:, 0], rtol=0, atol=1e-5)
    assert np.allclose(x[:, 2:], codes["context"], rtol=0, atol=1e-6)


@reads_files
@pytest.mark.parametrize(("shape", "columns"), [((), ["context"]), ((1, 2, 2), [f"context{n}" for n in range(4)])])
def test_contexts_of_any_rank_come_back_from_a_table(shape, columns, here, capsys):
    noise = torch.Generator().manual_seed(0)
    np.savez("data.npz", x=torch.randn(40, 2, generator=noise), context=torch.randn(40, *shape, generator=noise))
    data = "{npy: {path: data.npz, x: x, context: context}}"
    Path("spec.yaml").write_text(SPEC.replace("{DATA}", data).replace("{MODEL}", "{steps: [stretch]}"))
    run(capsys, "train", "spec.yaml", "--out", "run")
    contexts = torch.randn(2, *shape, generator=noise).tolist()
    for name in ("a.csv", "a.npz"):
        run(capsys, "sample", "run", "-n", 3, "--context", contexts, "-o", name)
        run(capsys, "encode", "run", name, "-o", f"{name}-codes.npz")
    assert Path("a.csv").read_text().splitlines()[0].split(",") == ["x0", "x1", *columns]
    table, whole = arrays("a.csv-codes.npz"), arrays("a.npz-codes.npz")
    assert table["context"].shape == (6, *shape)
    assert all(np.array_equal(table[name], whole[name]) for name in ("codes", "context"))
    (line,) = run(capsys, "sample", "run", "--class", 0, "-o", "b.csv", status=2).err.splitlines()
    assert line.startswith(
        f"diffeo sample: expected --context for a context of shape {shape}, which no class is; got --c"
    )
    if shape == ():
        (line,) = run(capsys, "sample", "run", "--context", "[]", "-o", "b.csv", status=2).err.splitlines()
        assert line.startswith("diffeo sample: expected --context of shape (); got (0,)")


# What is in a file of codes, and what is said about it


def test_the_first_latents_are_kept_and_the_rest_is_zero(runs, here, capsys):
    out = run(capsys, "encode", runs / "plain", "blob", "-k", 1, "-o", "codes.npz").out
    codes = arrays("codes.npz")
    assert sorted(codes) == ["codes", "num_latents"]
    assert codes["num_latents"] == 2
    flow = diffeo.load(runs / "plain")
    y = torch.from_numpy(examples("blob", 64))
    with torch.no_grad():
        z, _ = flow.encode(y)
        decoded = flow.decode(torch.cat([z[:, :1], torch.zeros(64, 1)], 1))
    assert np.array_equal(codes["codes"], z[:, :1].numpy())
    run(capsys, "decode", runs / "plain", "codes.npz", "-o", "x.npz")
    assert np.allclose(arrays("x.npz")["x"], decoded.numpy(), rtol=0, atol=1e-6)
    error = float((decoded - y).square().mean())
    share = 100 * error / float(y.var(0, correction=0).mean())
    said = out.splitlines()[1].split()
    assert said[:2] == ["reconstruction", "error:"]
    assert float(said[2]) == pytest.approx(error, rel=1e-4)
    assert float(said[7]) == pytest.approx(share, rel=2e-3)
    assert out.endswith("% of the variance of the data\n")


def test_one_example_has_no_variance_to_compare_with(runs, here, capsys):
    out = run(capsys, "encode", runs / "plain", "blob", "-n", 1, "-o", "codes.npz").out
    assert out.endswith("per dimension (mean square)\n")


def test_the_noise_of_an_augmenter_follows_from_the_seed(runs, here, capsys):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(capsys, "encode", runs / "augmented", "blob", "--seed", seed, "-o", f"{name}.npz")
    a, b, c = (arrays(f"{name}.npz")["codes"] for name in "abc")
    assert np.array_equal(a, b)
    assert np.array_equal(a[:, :2], c[:, :2])
    assert not np.array_equal(a[:, 2:], c[:, 2:])


def test_the_seed_of_the_run_decides_the_split(runs, here, capsys):
    run(capsys, "encode", runs / "integers", "dice", "-o", "own.npz")
    (weights,) = (runs / "integers").glob("checkpoints/*/model.safetensors")
    run(capsys, "encode", weights, "dice", "-o", "file.npz")
    run(capsys, "encode", runs / "integers", "dice", "--seed", 4, "-o", "other.npz")
    own, file, other = (arrays(f"{name}.npz")["codes"] for name in ("own", "file", "other"))
    assert np.array_equal(own, file)
    assert not np.array_equal(own, other)
    Path("model.safetensors").write_bytes(weights.read_bytes())
    run(capsys, "encode", "model.safetensors", "dice", "-o", "stray.npz")
    assert not np.array_equal(arrays("stray.npz")["codes"], own)


# Files


def points(path, count=20):
    x = np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)
    if path.endswith(".npy"):
        np.save(path, x)
    elif path.endswith(".npz"):
        np.savez(path, x=x, y=np.arange(count), spare=x[:3])
    else:
        np.savetxt(path, x, delimiter=",", header="height,width", comments="", fmt="%.9g")
    return x


@reads_files
@pytest.mark.parametrize("path", ["a.npy", "a.npz", "a.csv"])
def test_a_file_is_encoded_whole_and_in_its_order(path, runs, here, capsys):
    x = points(path)
    run(capsys, "encode", runs / "plain", path, "-o", "codes.npz")
    run(capsys, "decode", runs / "plain", "codes.npz", "-o", "x.npz")
    assert np.allclose(arrays("x.npz")["x"], x, rtol=0, atol=1e-5)
    assert ("y" in arrays("codes.npz")) == (path == "a.npz")
    run(capsys, "encode", runs / "plain", path, "-n", 3, "-o", "three.npz")
    assert np.allclose(arrays("three.npz")["codes"], arrays("codes.npz")["codes"][:3], rtol=0, atol=1e-5)


@reads_files
def test_labels_go_along(runs, here, capsys):
    points("a.npz")
    run(capsys, "encode", runs / "plain", "a.npz", "-k", 1, "-o", "codes.npz")
    assert arrays("codes.npz")["y"].tolist() == list(range(20))


@reads_files
def test_a_file_may_be_a_data_set_of_a_spec(runs, here, capsys):
    points("a.csv")
    data = "{csv: {path: a.csv, columns: [width, height], val: 0.25}}"
    out = run(capsys, "encode", runs / "plain", data, "--split", "val", "-o", "codes.npz").out
    assert "wrote codes.npz: 5 codes" in out


@reads_files
@pytest.mark.parametrize("suffix", ["csv", "npz"])
@pytest.mark.parametrize("name", ["plain", "conditional", "integers"])
def test_what_sample_wrote_is_encoded_and_decoded(name, suffix, runs, here, capsys):
    context = ["--context", "[[0.5, 0], [0, -0.5]]"] if name == "conditional" else []
    run(capsys, "sample", runs / name, "-n", 7, *context, "-o", f"a.{suffix}")
    run(capsys, "encode", runs / name, f"a.{suffix}", "-o", "codes.npz")
    run(capsys, "decode", runs / name, "codes.npz", "-o", f"b.{suffix}")
    if suffix == "npz":
        a, b = arrays("a.npz"), arrays("b.npz")
    else:
        a, b = ({"x": np.loadtxt(f"{stem}.csv", delimiter=",", skiprows=1)} for stem in "ab")
    assert a.keys() == b.keys()
    for key, values in a.items():
        assert values.dtype == b[key].dtype
        assert np.allclose(values, b[key], rtol=0, atol=0 if name == "integers" else 1e-4)


def test_decoded_points_make_a_picture_and_a_few_are_enough(runs, here, capsys):
    run(capsys, "encode", runs / "plain", "blob", "-k", 1, "-o", "codes.npz")
    run(capsys, "decode", runs / "plain", "codes.npz", "-o", "a.png")
    assert description(Path("a.png")) == "Decoded from the first 1 latents."
    assert "wrote a.csv: 3 examples" in run(capsys, "decode", runs / "plain", "codes.npz", "-n", 3, "-o", "a.csv").out


@reads_files
def test_more_than_one_batch(runs, here, capsys):
    x = points("a.npy", 1203)
    out = run(capsys, "encode", runs / "plain", "a.npy", "-k", 1, "-o", "codes.npz").out
    run(capsys, "decode", runs / "plain", "codes.npz", "-o", "x.npz")
    decoded = arrays("x.npz")["x"]
    assert len(decoded) == 1203
    assert float(out.splitlines()[1].split()[2]) == pytest.approx(float(np.square(x - decoded).mean()), rel=1e-4)


# What is refused: one line, exit status 2, nothing written


@reads_files
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("plain", ["blob", "-o", "a.csv"], "diffeo encode: expected -o with .npz; got a.csv"),
        ("plain", ["blob", "-o", "no/a.npz"], "no/a.npz: expected a file in a folder that exists; got no folder no"),
        ("plain", ["blob", "-k", "3", "-o", "a.npz"], "diffeo encode: expected -k of at most 2, the latents of this"),
        ("plain", ["blob", "-k", "0", "-o", "a.npz"], "diffeo encode: Invalid value for '-k'"),
        (
            "plain",
            ["blob", "--split", "train", "-o", "a.npz"],
            "diffeo encode: expected -n for the split 'train' of blob, which is endless",
        ),
        ("plain", ["beads", "-o", "a.npz"], "expected a data set with a split 'test'; got none or an empty one"),
        ("plain", ["blbo", "-o", "a.npz"], "DATA:1:1: no dataset named 'blbo'; did you mean 'blob'?"),
        (
            "plain",
            ["{blob: {condtional: true}}", "-o", "a.npz"],
            "DATA:1:9: blob.condtional: unknown key; did you mean",
        ),
        ("plain", ["sinh", "-o", "a.npz"], "DATA:1:1: 'sinh' is a bijector; expected a dataset"),
        ("plain", ["a.npy", "-o", "a.npz"], "a.npy: expected a file; got nothing there"),
        (
            "plain",
            ["table.csv", "--split", "test", "-o", "a.npz"],
            "diffeo encode: expected --split for a data set only",
        ),
        (
            "plain",
            ["wide.npy", "-o", "a.npz"],
            "wide.npy: expected data of shape (2,), which this flow models; got (3,)",
        ),
        (
            "plain",
            ["note.txt", "-o", "a.npz"],
            "diffeo encode: expected a data set, or a file with one of .npy, .npz, .csv",
        ),
        (
            "plain",
            ["dice", "-o", "a.npz"],
            "expected floating-point data, or a flow with a dequantization for integers",
        ),
        ("integers", ["half.npy", "-o", "a.npz"], "expected whole numbers, which this flow models; got 0.5"),
        ("conditional", ["blob", "-o", "a.npz"], "blob: expected a context of shape (2,); got none"),
        ("conditional", ["half.npy", "-o", "a.npz"], "half.npy: expected a context of shape (2,); got none"),
        ("conditional", ["table.csv", "-o", "a.npz"], "table.csv: expected a column 'context0'; got only 'a', 'b'"),
        (
            "plain",
            ["{blob: {conditional: true}}", "-o", "a.npz"],
            "{blob: {conditional: true}}: expected no context, for this flow takes none; got one of shape (2,)",
        ),
        (
            "nowhere",
            ["blob", "-o", "a.npz"],
            "{runs}/nowhere: expected a run folder, a checkpoint or a model.safetensors",
        ),
    ],
)
def test_what_cannot_be_encoded_is_one_line(name, arguments, message, runs, here, capsys):
    np.save("wide.npy", np.zeros((4, 3)))
    np.save("half.npy", np.full((4, 2), 0.5))
    Path("note.txt").write_text("1,2\n")
    Path("table.csv").write_text("a,b\n1,2\n")
    before = sorted(here.iterdir())
    (line,) = run(capsys, "encode", runs / name, *arguments, status=2).err.splitlines()
    assert line.startswith(message.replace("{runs}", str(runs)))
    assert sorted(here.iterdir()) == before


@reads_files
def test_data_beyond_what_a_flow_can_encode_are_told(runs, here, capsys):
    x = np.zeros((8, 2), dtype=np.float32)
    x[5] = 1e30  # the hyperbolic sine overflows
    np.save("a.npy", x)
    (line,) = run(capsys, "encode", runs / "plain", "a.npy", "-o", "a.npz", status=2).err.splitlines()
    assert line == "expected data that this flow can encode; got latents that are not finite at example 5"
    assert not Path("a.npz").exists()


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("plain", {"codes": np.zeros((3, 1)), "num_latents": 4}, "expected codes of this flow, which has 2 latents; got codes"),
        ("plain", {"codes": np.zeros((3, 3)), "num_latents": 2}, "expected codes (N, k) with k up to 2; got shape (3, 3)"),
        ("plain", {"codes": np.zeros((0, 1)), "num_latents": 2}, "expected codes (N, k) with k up to 2; got shape (0, 1)"),
        ("plain", {"codes": np.zeros(3), "num_latents": 2}, "expected codes (N, k) with k up to 2; got shape (3,)"),
        ("plain", {"codes": np.zeros((3, 1)), "num_latents": [2, 2]}, "expected codes of this flow, which has 2 latents; got (2,)"),
        ("plain", {"codes": np.zeros((3, 1))}, "expected the arrays 'codes' and 'num_latents'; got no 'num_latents'"),
        ("plain", {"x": np.zeros((3, 2))}, "expected the arrays 'codes' and 'num_latents'; got no 'codes'"),
        ("plain", {"codes": np.array([["a"]]), "num_latents": 2}, "codes: expected real numbers; got <U1"),
        ("plain", {"codes": np.array([[0], [np.nan]]), "num_latents": 2}, "codes[1, 0]: expected a finite number; got nan"),
        ("plain", {"codes": np.zeros((3, 1)), "num_latents": 2, "context": np.zeros((3, 2))}, "expected no context, for this flow"),
        ("conditional", {"codes": np.zeros((3, 1)), "num_latents": 2}, "expected a context of shape (3, 2); got none"),
        (
            "conditional",
            {"codes": np.zeros((3, 1)), "num_latents": 2, "context": np.zeros((2, 2))},
            "expected a context of shape (3, 2); got one of shape (2, 2)",
        ),
    ],
)  # fmt: skip
def test_codes_that_do_not_fit_are_one_line(name, given, message, runs, here, capsys):
    np.savez("codes.npz", **given)
    (line,) = run(capsys, "decode", runs / name, "codes.npz", "-o", "x.npz", status=2).err.splitlines()
    assert line.startswith(f"codes.npz: {message}")
    assert [path.name for path in here.iterdir()] == ["codes.npz"]


def test_files_that_are_no_codes_are_one_line(runs, here, capsys):
    np.save("array.npz", np.zeros(3))
    Path("array.npz.npy").rename("array.npz")
    Path("text.npz").write_text("codes")
    np.savez("whole.npz", codes=np.random.default_rng(0).normal(size=(100, 1)), num_latents=2)
    Path("half.npz").write_bytes(Path("whole.npz").read_bytes()[:300])
    with zipfile.ZipFile("other.npz", "w") as archive:
        archive.writestr("codes.npy", "no array")
    for name in ("array", "text", "half", "other"):
        (line,) = run(capsys, "decode", runs / "plain", f"{name}.npz", "-o", "x.csv", status=2).err.splitlines()
        assert line.startswith(f"{name}.npz: expected "), line
        assert "pickle" not in line
    (line,) = run(capsys, "decode", runs / "plain", "nothing.npz", "-o", "x.csv", status=2).err.splitlines()
    assert line == "nothing.npz: No such file or directory"
    assert not Path("x.csv").exists()


def test_decode_wants_a_format_it_knows(runs, here, capsys):
    (line,) = run(capsys, "decode", runs / "plain", "codes.npz", "-o", "a.jpg", status=2).err.splitlines()
    assert line.startswith("diffeo decode: expected -o with one of .png, .npz, .csv; got a.jpg")


@reads_files
def test_files_need_the_package_that_reads_them(runs, here):
    points("a.npy")
    environment = os.environ | {"PYTHONPATH": PLUGIN, "DIFFEO_DISABLE": "diffeo-data"}
    command = [sys.executable, "-m", "diffeo", "encode", str(runs / "plain"), "a.npy", "-o", "a.npz"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (2, "'npy' comes with diffeo-data, which DIFFEO_DISABLE leaves out\n")


def test_help_names_the_commands_without_torch(here):
    code = "import sys; sys.modules['torch'] = None; from diffeo.cli import run; sys.exit(run(['--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "  encode " in done.stdout
    assert "  decode " in done.stdout
