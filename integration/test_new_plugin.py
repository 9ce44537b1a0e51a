"""What ``diffeo new-plugin`` writes is built, installed alone, tested, trained with, saved, loaded, sampled from and uninstalled.

The spec and the Python are those of the package's own README.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffeo.commands.plugin_files import STARTS

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / name for name in ("registry", "core", "plugins/bijectors", "plugins/data")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FEW_STEPS = ("--set", "trainer.steps=5", "--set", "trainer.batch_size=32", "--set", "evaluators=[]")
QUICK = "bijector"

LOAD = """
import sys, diffeo, torch
model = diffeo.load(sys.argv[1])
assert model.event_shape == (2,), model.event_shape
x = torch.zeros(7, 2)
log_prob = model.log_prob(x) if model.is_exact else model.log_prob(x, num_samples=3)
assert log_prob.isfinite().all()
"""

REVERSE_KL = '''
import attrs
from diffeo_registry import Component, hookimpl


@attrs.frozen(kw_only=True)
class ReverseKL:
    """The least that trains on a target."""


@hookimpl
def diffeo_components():
    return [Component(kind="objective", name="least_kl", config="least_kl:ReverseKL", implementation="least_kl_math:KL",
                      summary="E[log q - log p].")]
'''

REVERSE_KL_MATH = """
import diffeo


class KL(diffeo.Objective):
    def __init__(self, config, model, data):
        super().__init__(model, data)
        self.target = data

    def forward(self, model, batch, progress):
        theta, log_prob = model.sample_and_log_prob((progress.batch_size,))
        return diffeo.Loss((log_prob - self.target.log_prob(theta)).mean())
"""

TARGET_SPEC = """
diffeo: 1
data: banana
model: {flow: {base: diagonal_normal}}
objective: least_kl
"""


@pytest.fixture(scope="module")
def environment(environment_with):
    """The packages of this repository, from their wheels; each test installs one more, and takes it away again."""
    return environment_with(PACKAGES)


@pytest.fixture(params=[pytest.param(kind, marks=[] if kind == QUICK else pytest.mark.long) for kind in STARTS])
def start(request):
    return STARTS[request.param]


def test_a_new_plugin_works_from_its_wheel(start, environment, tmp_path):
    said = succeed(environment.run("-m", "diffeo", "new-plugin", "acme-flows", "--kind", start.kind, cwd=tmp_path))
    package = tmp_path / "acme-flows"
    install, show, _ = said.splitlines()[2:]
    assert (install, show) == ("pip install -e 'acme-flows[test]'", f"diffeo show {start.name}")
    check_style(package)

    environment.install([build(package, tmp_path / "dist")])
    assert start.summary in succeed(environment.run("-m", "diffeo", "show", start.name, cwd=tmp_path))
    check_own_tests(environment, package)

    blocks = dict(BLOCK.findall((package / "README.md").read_text()))
    assert "python" in blocks or start.kind == "objective"
    succeed(environment.run("-c", blocks.get("python", ""), cwd=tmp_path))
    (tmp_path / "spec.yaml").write_text(blocks.get("yaml", TARGET_SPEC))
    if "yaml" not in blocks:
        install_reverse_kl(environment)
    check_run(environment, tmp_path)

    environment.pip("uninstall", "--quiet", "--yes", "acme-flows")
    done = environment.run("-m", "diffeo", "check", "spec.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(rf"spec\.yaml:\d+:\d+: [\w.\[\]]+: no .* named '{start.name}'.*\n", done.stderr), done.stderr
    done = environment.run("-m", "diffeo", "sample", "run", "-o", "draws.csv", cwd=tmp_path)
    if start.kind in ("bijector", "augmenter", "network"):  # a model of other kinds doesn't hold a part of the package
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "acme-flows" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def check_style(package):
    """What was written needs neither the linter nor the formatter, with their defaults and lines of 120."""
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,W,B,UP,RUF"], ["format", "--check"]):
        done = subprocess.run([*ruff, *command, "--no-cache", "."], cwd=package, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def build(package, out):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def check_own_tests(environment, package):
    """Its tests pass, and its doctest, on what was installed rather than on the folder beside them."""
    options = ["-q", "-p", "no:cacheprovider", "-c", str(package / "pyproject.toml"), "--rootdir", str(package)]
    out = succeed(environment.run("-m", "pytest", *options, str(package / "tests"), cwd=package.parent))
    assert re.search(r"\d+ passed", out)
    assert not re.search(r"skipped|xfailed|warning", out), out
    out = succeed(environment.run("-m", "pytest", *options, "--pyargs", "acme_flows", cwd=package.parent))
    assert re.search(r"^1 passed", out, re.MULTILINE), out


def check_run(environment, folder):
    succeed(environment.run("-m", "diffeo", "train", "spec.yaml", *FEW_STEPS, "--out", "run", cwd=folder))
    succeed(environment.run("-c", LOAD, "run", cwd=folder))
    succeed(environment.run("-m", "diffeo", "sample", "run", "-n", "9", "-o", "draws.csv", cwd=folder))
    assert len((folder / "draws.csv").read_text().splitlines()) == 10


def install_reverse_kl(environment):
    """An objective that trains on a target, as somebody else's package."""
    (site,) = (environment.folder / "lib").glob("python*/site-packages")
    (site / "least_kl.py").write_text(REVERSE_KL)
    (site / "least_kl_math.py").write_text(REVERSE_KL_MATH)
    info = site / "least_kl-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: least-kl\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[diffeo.plugins]\nmain = least_kl\n")


def succeed(done):
    """What a command printed."""
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout
