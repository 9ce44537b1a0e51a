"""Targets, their evaluators and the objective, with shapes and dtypes checked as annotated (jaxtyping's hook, beartype)."""

import subprocess
import sys

CHECK = """
from jaxtyping import install_import_hook

install_import_hook(["diffeo", "diffeo_loft"], "beartype.beartype")

import tempfile
import warnings
from pathlib import Path

import torch
import jaxtyping
import diffeo
from diffeo_registry import installed

def names(kind):
    return [one.name for one in installed().of_kind(kind) if one.package == "diffeo-loft"]

targets = [diffeo.build("target", name) for name in names("target")]
targets.append(diffeo.CallableTarget(lambda x: -x.square().sum(-1), dim=3))
warnings.simplefilter("ignore")  # of weights: nothing was trained
done = 0
for target in targets:
    for batch in ((6,), (), (2, 3), (0,)):
        theta = torch.randn(*batch, *target.event_shape)
        for method in (target.log_prob, target.constrain, target.by_name):
            method(theta)
    model = diffeo.build("model", {"flow": {"steps": ["scale_shift"], "start": "base"}}, shape=target.event_shape).double()
    for name in names("evaluator"):
        evaluator = diffeo.build("evaluator", {name: {"num_samples": 100}})
        if name != "sliced_wasserstein" or hasattr(target, "sample"):
            with tempfile.TemporaryDirectory() as folder:
                evaluator(model, target, Path(folder))
                done += 1

model = diffeo.build("model", {"flow": {"steps": ["scale_shift"], "start": "base"}}, shape=(3,))
funnel = diffeo.build("target", {"funnel": {"dim": 3}})
for gradient in ("total", "path", "fast_path"):
    objective = diffeo.build("objective", {"reverse_kl": {"gradient": gradient}}, model=model, data=funnel)
    objective(model, {}, diffeo.Progress(0, 1, 8)).value.backward()

try:
    targets[0].log_prob(torch.zeros(3, *targets[0].event_shape, dtype=torch.int64))
except jaxtyping.TypeCheckError:
    print("checked", len(targets), done)
else:
    raise SystemExit("the import hook is not in effect: integers were accepted")
"""


def test_annotations_hold_at_run_time() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("checked 7 ")
