"""Shapes and dtypes as annotated, checked at run time: both packages are imported through jaxtyping's hook with beartype."""

import os
import subprocess
import sys

CHECK = """
from pathlib import Path
from jaxtyping import install_import_hook

install_import_hook(["diffeo", "diffeo_bijectors"], "beartype.beartype")

import torch
import jaxtyping
import diffeo
from diffeo.testing import conformance, directions

MAPS = ("bijector", "elementwise", "network", "scale")
subjects = [check.subject(Path()) for check in conformance("diffeo-bijectors") if check.law.name == "builds"]
subjects = [subject for subject in subjects if subject.kind in MAPS]
for subject in subjects:
    bijector = subject.map(torch.float32)
    for batch in ((6,), (), (2, 3), (0,)):
        inputs = subject.inputs(bijector, dtype=torch.float32).reshaped(batch)
        for way in directions(bijector, inputs):
            way.call(way.source, context=inputs.context)
spec = {"flow": {"steps": ["actnorm"], "base": "standard_normal", "dequantization": "uniform"}}
flow = diffeo.build("model", spec, shape=(2,))
flow.elbo(torch.zeros(3, 2, dtype=torch.uint8))

layer = diffeo.build("bijector", "conv1x1", shape=(2, 3, 3))
try:
    layer(torch.zeros(5, 2, 3, 3, dtype=torch.int64))
except jaxtyping.TypeCheckError:
    print("checked", len(subjects))
else:
    raise SystemExit("the import hook is not in effect: an integer image was accepted")
"""


def test_annotations_hold_at_run_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("checked")
