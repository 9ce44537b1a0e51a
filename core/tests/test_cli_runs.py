import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from diffeo import cli
from diffeo.commands.files import whole_file
from diffeo.commands.sample_picture import draw_samples

PLUGIN = str(Path(__file__).parent / "plugin")

SPEC = """\
diffeo: 1
data: {DATA}
model: {flow: {MODEL}}
trainer: {steps: 6, batch_size: 8, log_every: 2, optimizer: sgd}
evaluators: [{likelihood: {max_examples: 40}}]
"""


def write_spec(path, data="blob", model="{steps: [stretch, sinh]}"):
    path.write_text(SPEC.replace("{DATA}", data).replace("{MODEL}", model))
    return str(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind: of points, of points with a context, of integers."""
    folder = tmp_path_factory.mktemp("runs")
    cases = {
        "plain": ("blob", "{steps: [stretch, sinh]}"),
        "conditional": ("{blob: {conditional: true}}", "{steps: [stretch]}"),
        "integers": ("dice", "{steps: [stretch], dequantization: jitter}"),
    }
    for name, (data, model) in cases.items():
        spec = write_spec(folder / f"{name}.yaml", data, model)
        assert cli.run(["train", spec, "--out", str(folder / name)]) == 0
    return folder


def run(capsys, *arguments, status=0):
    assert cli.run([str(argument) for argument in arguments]) == status
    return capsys.readouterr()


# train


def test_train_prints_the_likelihood_the_metrics_and_where_the_report_is(here, capsys):
    out = run(capsys, "train", write_spec(here / "spec.yaml")).out
    first, start, *_ = out.splitlines()
    assert re.fullmatch(r"log-likelihood in nats: -\d+\.\d{3} ± \d+\.\d{3} \(40 held-out examples\)", first)
    assert re.fullmatch(r"where it began: -\d+\.\d{3} \(nats at step 0\)", start)
    assert re.search(r"^likelihood/bits_per_dim +\d+\.\d+$", out, re.MULTILINE)
    report = out.splitlines()[-1].removeprefix("report: ")
    assert Path(report) == Path("runs/spec-1/report/index.html")
    assert "spec-1" in Path(report).read_text()


def test_train_stops_and_goes_on(here, capsys):
    spec = write_spec(here / "spec.yaml")
    out = run(capsys, "train", spec, "--out", "a", "--until", 4).out
    assert out == "stopped at step 4; go on with: diffeo train --resume a\n"
    assert run(capsys, "train", "--resume", "a").out.endswith("report: a/report/index.html\n")
    run(capsys, "train", spec, "--out", "b")
    ours, theirs = (json.loads(Path(name, "report", "metrics.json").read_text()) for name in "ab")
    assert ours == theirs


def test_a_finished_run_may_be_resumed(runs, capsys):
    assert "likelihood/log_prob" in run(capsys, "train", "--resume", runs / "plain").out


def test_values_of_the_spec_can_be_set(here, capsys):
    run(capsys, "train", write_spec(here / "spec.yaml"), "--out", "a", "--set", "trainer.steps=2", "--set", "seed=5")
    assert [json.loads(line)["step"] for line in Path("a/metrics.jsonl").read_text().splitlines()][-1] == 2
    assert "seed: 5" in Path("a/spec.yaml").read_text()


def test_a_signal_saves_and_exits_with_its_number(here):
    spec = write_spec(here / "spec.yaml")
    command = [sys.executable, "-m", "diffeo", "train", spec, "--out", "a", "--set", "trainer.steps=100000"]
    environment = os.environ | {"PYTHONPATH": PLUGIN}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = here / "a" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert re.fullmatch(r"stopped at step \d+; go on with: diffeo train --resume a\n", out)
    assert len(list((here / "a" / "checkpoints").glob("step-*"))) == 1


def test_a_process_that_is_asked_where_it_is_tells_and_goes_on(here):
    asked = f"objective={{mishap: {{does: signal, number: {int(signal.SIGUSR1)}, at: 1}}}}"
    command = [sys.executable, "-m", "diffeo", "train", write_spec(here / "spec.yaml"), "--out", "a", "--set", asked]
    environment = os.environ | {"PYTHONPATH": PLUGIN}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "most recent call first" in done.stderr


def test_a_failed_run_is_one_line_and_status_one(here, capsys):
    spec = Path(write_spec(here / "spec.yaml"))
    spec.write_text(spec.read_text() + "objective: {explode: {at: 3}}\n")
    err = run(capsys, "train", spec, "--out", "a", status=1).err
    (line,) = [line for line in err.splitlines() if not line.startswith("training:")]
    assert re.match(r"loss( and grad_norm)? not finite at step 3", line)
    assert "Traceback" in run(capsys, "train", spec, "--out", "b", "--debug", status=1).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "diffeo train: expected a SPEC, or --resume RUN; got neither"),
        (["spec.yaml", "--resume", "a"], "diffeo train: expected a SPEC, or --resume RUN; got both"),
        (["--resume", "a", "--set", "seed=1"], "diffeo train: expected --resume without --set, --seeds and --out"),
        (["nothing.yaml"], "nothing.yaml: no such file or directory"),
        (["no/recipe"], "no recipe named 'no/recipe'"),
        (["spec.yaml", "--until", "0"], "diffeo train: Invalid value for '--until'"),
        (
            ["spec.yaml", "--out", "full"],
            "full: expected a folder that does not exist yet; got one with files in it: choose another --out\n",
        ),
        (
            ["spec.yaml", "--out", "full/note.txt"],
            "full/note.txt: expected a folder that does not exist yet; got a file: choose another --out\n",
        ),
        (["spec.yaml", "--out", "/proc/a"], "/proc/a: expected a place where a run folder can be written"),
        (["spec.yaml", "--set", "trainer.stps=3"], "--set trainer.stps=3: trainer.stps: unknown key; did you mean"),
        (["spec.yaml", "--set", "model.flow.steps.1=fold"], "--set model.flow.steps.1=fold: model.flow.steps[1]"),
        (["--resume", "full"], "full: expected a run folder with a spec.yaml; got none"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, here, capsys):
    write_spec(here / "spec.yaml")
    (here / "full").mkdir()
    (here / "full" / "note.txt").write_text("mine")
    (line,) = run(capsys, "train", *arguments, status=2).err.splitlines(keepends=True)
    assert line.startswith(message)
    assert sorted(path.name for path in here.rglob("*")) == ["full", "note.txt", "spec.yaml"]


# check, evaluate


def test_check_shows_the_shape_of_every_step(here, capsys):
    model = "{steps: [stretch, {repeat: {times: 2, steps: [sinh]}}, {append: {extra: 3}}]}"
    out = run(capsys, "check", write_spec(here / "spec.yaml", model=model)).out.splitlines()
    assert re.split(r"  +", out[0]) == ["part", "in", "out", "parameters"]
    rows = [re.split(r"  +", line.strip()) for line in out[1:-2]]
    (append,) = [row for row in rows if "append" in row[0].lower()]
    assert append[1:] == ["(2,)", "(5,)", "0"]
    assert [len(line) - len(line.lstrip()) for line in out if "sinh" in line.lower()] == [4, 4]
    assert out[-1] == "4 parameters"
    assert sorted(path.name for path in here.rglob("*")) == ["spec.yaml"]


def test_check_says_where_a_shape_does_not_fit(here, capsys):
    spec = write_spec(here / "spec.yaml", model="{steps: [stretch, fold]}")
    (line,) = run(capsys, "check", spec, status=2).err.splitlines()
    assert line.startswith(f"{spec}:3:")
    assert line.endswith("expected a shape (C, S) with even S; got (2,)")


@pytest.mark.parametrize("name", ["", "checkpoints/step-000000006/model.safetensors"])
def test_evaluate_takes_a_run_or_a_file_of_it(name, runs, capsys):
    before = json.loads((runs / "plain" / "report" / "metrics.json").read_text())
    out = run(capsys, "evaluate", runs / "plain" / name).out
    assert out.splitlines()[-1] == f"report: {runs / 'plain' / 'report' / 'index.html'}"
    assert json.loads((runs / "plain" / "report" / "metrics.json").read_text()) == before


def test_evaluate_with_other_evaluators_leaves_the_spec_as_it_is(runs, capsys, tmp_path):
    copy = Path(shutil.copytree(runs / "plain", tmp_path / "copy"))
    spec, report = (copy / "spec.yaml").read_text(), copy / "report" / "metrics.json"
    run(capsys, "evaluate", copy, "--set", "evaluators=[{likelihood: {max_examples: 7}}]")
    measured = json.loads(report.read_text())
    assert measured["likelihood/num_examples"] == 7
    run(capsys, "evaluate", copy, "--set", "evaluators=[density_2d]")
    assert measured.items() < json.loads(report.read_text()).items()
    assert (copy / "spec.yaml").read_text() == spec


@pytest.mark.parametrize("override", ["seed=3", "model.steps=[]", "evaluators", "evaluators_too=[]"])
def test_evaluate_changes_nothing_but_evaluators(override, runs, capsys):
    (line,) = run(capsys, "evaluate", runs / "plain", "--set", override, status=2).err.splitlines()
    assert line == (
        f"--set {override}: expected a key that begins with evaluators; the rest of a run stays as it was trained"
    )


# sample


def read_csv(path):
    with Path(path).open() as file:
        header, *rows = csv.reader(file)
    return header, np.array(rows, dtype=float)


def test_the_same_seed_gives_the_same_table(runs, here, capsys):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(capsys, "sample", runs / "plain", "-n", 5, "--seed", seed, "-o", f"{name}.csv").out == (
            f"wrote {name}.csv: 5 draws of shape (2,)\n"
        )
    (header, a), (_, b), (_, c) = (read_csv(f"{name}.csv") for name in "abc")
    assert header == ["x0", "x1"]
    assert a.shape == (5, 2)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_seed_may_be_any_number(runs, here, capsys):
    """The seed of a run may, and torch takes 64 bits."""
    for name, seed in (("a", 1), ("b", 1 + 2**64)):
        run(capsys, "sample", runs / "plain", "-n", 5, "--seed", seed, "-o", f"{name}.csv")
    assert Path("a.csv").read_text() == Path("b.csv").read_text()


def test_a_table_of_numbers_in_full_precision_equals_the_array(runs, here, capsys):
    for name in ("a.csv", "a.npz"):
        run(capsys, "sample", runs / "plain", "-n", 300, "-o", name)
    with np.load("a.npz") as file:
        assert file["x"].dtype == np.float32
        assert np.array_equal(file["x"], read_csv("a.csv")[1].astype(np.float32))


def test_temperature_scales_the_spread(runs, here, capsys):
    for temperature in (0, 1):
        run(capsys, "sample", runs / "plain", "-n", 200, "--temperature", temperature, "-o", f"{temperature}.csv")
    assert np.ptp(read_csv("0.csv")[1], axis=0).max() == 0
    assert np.ptp(read_csv("1.csv")[1], axis=0).min() > 1


def test_integers_stay_integers(runs, here, capsys):
    run(capsys, "sample", runs / "integers", "-n", 20, "-o", "a.npz")
    with np.load("a.npz") as file:
        assert file["x"].dtype == np.int64


def test_contexts_stand_beside_their_draws(runs, here, capsys):
    run(capsys, "sample", runs / "conditional", "-n", 3, "--context", "[[50, 0], [0, -50]]", "-o", "a.csv")
    header, rows = read_csv("a.csv")
    assert header == ["x0", "x1", "context0", "context1"]
    assert rows[:, 2:].tolist() == [[50, 0]] * 3 + [[0, -50]] * 3
    assert (rows[:3, 0] < -10).all()
    assert (rows[3:, 0] > 10).all()
    run(capsys, "sample", runs / "conditional", "-n", 2, "--class", 1, "--class", 0, "-o", "b.npz")
    with np.load("b.npz") as file:
        assert file["context"].tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]


def test_many_draws_come_in_parts(runs, here, capsys):
    run(capsys, "sample", runs / "plain", "-n", 5000, "-o", "a.npz")
    with np.load("a.npz") as file:
        assert len(np.unique(file["x"], axis=0)) == 5000


def test_points_make_a_picture(runs, here, capsys):
    run(capsys, "sample", runs / "plain", "-o", "a.png")
    assert imread("a.png").shape == (720, 720, 4)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("plain", ["-o", "a.jpg"], "diffeo sample: expected -o with one of .png, .npz, .csv, .nc; got a.jpg"),
        (
            "plain",
            ["-o", "a.csv", "--temperature", "nan"],
            "diffeo sample: expected --temperature as a finite number; got nan",
        ),
        (
            "plain",
            ["-o", "a.csv", "--temperature", "inf"],
            "diffeo sample: expected --temperature as a finite number; got inf",
        ),
        (
            "conditional",
            ["-o", "a.csv", "--context", "[NaN, 1]"],
            "diffeo sample: expected --context as finite numbers; got",
        ),
        ("plain", ["-o", "no/a.png"], "no/a.png: expected a file in a folder that exists; got no folder no"),
        ("plain", ["-o", "a.png", "--class", "1"], "diffeo sample: expected neither --class nor --context"),
        ("conditional", ["-o", "a.png"], "diffeo sample: expected --class or --context: this flow takes a context"),
        ("conditional", ["-o", "a.csv", "--class", "2"], "diffeo sample: expected --class below 2"),
        ("conditional", ["-o", "a.csv", "--context", "[1"], "diffeo sample: expected --context as JSON numbers"),
        (
            "conditional",
            ["-o", "a.csv", "--context", "[1]"],
            "diffeo sample: expected --context of shape (2,); got (1,)",
        ),
        ("nowhere", ["-o", "a.csv"], "{runs}/nowhere: expected a run folder, a checkpoint or a model.safetensors"),
        ("plain.yaml", ["-o", "a.csv"], "{runs}/plain.yaml: "),
    ],
)
def test_draws_that_cannot_be_had_are_one_line(model, arguments, message, runs, here, capsys):
    (line,) = run(capsys, "sample", runs / model, *arguments, status=2).err.splitlines()
    assert line.startswith(message.format(runs=runs))
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("contexts", "number", "grid"), [(1, 10, (3, 4)), (3, 5, (3, 5))])
def test_images_make_a_sheet(contexts, number, grid, tmp_path):
    images = torch.randint(256, (contexts, number, 1, 16, 16))
    images[0, 0], images[0, 1] = 255, 300  # brighter than data can be: shown as white
    draw_samples(images, tmp_path / "a.png")
    sheet = imread(tmp_path / "a.png")[..., 0]
    scale = 4
    assert sheet.shape == tuple(scale * (17 * count - 1) for count in grid)
    first, second = (sheet[: 16 * scale, 17 * scale * i : 17 * scale * i + 16 * scale] for i in (0, 1))
    assert (first == 1).all()
    assert (second == 1).all()
    third = sheet[2 : 16 * scale : scale, 34 * scale + 2 : 50 * scale : scale]
    assert np.allclose(third, images[0, 2, 0] / 255, atol=1 / 255)


def test_vectors_make_no_picture(tmp_path):
    with pytest.raises(ValueError, match=r"expected images \(1 or 3, H, W\) or points \(2,\) for a .png; got \(7,\)"):
        draw_samples(torch.zeros(1, 3, 7), tmp_path / "a.png")


# Around the commands


def test_a_file_is_whole_or_not_there(tmp_path):
    def write_half():
        with whole_file(path) as aside:
            aside.write_text("ne")
            raise RuntimeError("half way")

    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "old"
    with whole_file(path) as aside:
        aside.write_text("new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("expected 1; got 2"), 2, "expected 1; got 2"),
        (FileNotFoundError(2, "No such file or directory", "x.npy"), 2, "x.npy: No such file or directory"),
        (FileNotFoundError("x.npy: get it from there"), 2, "x.npy: get it from there"),
        (ZeroDivisionError("a\nb"), 1, "ZeroDivisionError: a b (--debug shows where)"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_errors_become_lines_and_statuses(error, status, text, monkeypatch, capsys):
    def fail(*_arguments, **_keywords):
        raise error

    monkeypatch.setattr("diffeo.commands.listing.installed", fail)
    err = run(capsys, "list", status=status).err
    assert err.split("\n")[:-1] == [text or ""]
    if isinstance(error, Exception):
        assert "Traceback" in run(capsys, "list", "--debug", status=status).err


def test_a_warning_is_one_line(monkeypatch, capsys):
    def warn():
        warnings.warn("two\n lines", UserWarning, stacklevel=1)
        return cli.installed()

    monkeypatch.setattr("diffeo.commands.listing.installed", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        err = run(capsys, "list").err
    assert err == "warning: two lines\n"


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m diffeo schema | head -c 10"
    environment = os.environ | {"PYTHONPATH": PLUGIN}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert (len(done.stdout), done.stderr) == (10, "")
